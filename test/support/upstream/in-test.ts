import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js';
import { expect, onTestFinished } from 'vitest';
import { fetchOnce } from './single-request.ts';
import { startUpstream, type Upstream, type UpstreamOptions } from './upstream.ts';

/** An upstream that ends with the test, and fails it when a fault or a wait was left unused. */
export async function upstreamInTest(options: UpstreamOptions = {}): Promise<Upstream> {
  const upstream = await startUpstream(options);
  onTestFinished(async () => {
    const unused = upstream.unused();
    await upstream[Symbol.asyncDispose]();
    expect(unused).toEqual([]);
  });
  return upstream;
}

export interface ClientOptions {
  /** Absent for an upstream without authorization. */
  accessToken?: string;
  capabilities?: ClientCapabilities;
  /** Sets handlers before the client connects. */
  prepare?: (client: Client) => void;
}

/** The official SDK client, connected directly; closed with the test. */
export async function directClient(upstream: Upstream, options: ClientOptions = {}): Promise<Client> {
  const { accessToken, capabilities = {}, prepare } = options;
  const client = new Client({ name: 'direct', version: '1.0.0' }, { capabilities });
  prepare?.(client);
  const headers = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
  const reconnectionOptions = {
    initialReconnectionDelay: 10,
    maxReconnectionDelay: 100,
    reconnectionDelayGrowFactor: 1,
    maxRetries: 50,
  };
  const url = new URL(upstream.url);
  const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers }, reconnectionOptions });
  // The SDK 1.x declares its optional members without `| undefined`, which exactOptionalPropertyTypes tells apart.
  await client.connect(transport as Parameters<Client['connect']>[0]);
  onTestFinished(() => client.close());
  return client;
}

/** The status that /mcp gives a token; 400 means accepted, since the request names no session. */
export async function knock(upstream: Upstream, accessToken: string): Promise<number> {
  const headers = { authorization: `Bearer ${accessToken}`, accept: 'text/event-stream' };
  return (await fetchOnce(upstream.url, { headers })).status;
}
