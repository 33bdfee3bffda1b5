import { Client, type ClientOptions } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { onTestFinished } from 'vitest';
import { firstModern } from '../../src/mcp/eras.ts';
import { type Line, type RawClient, spawnRaw } from './raw-client.ts';
import { builtBridge, type Home, homeInTest, strippedEnvironment } from './spawn-bridge.ts';

export interface ModernClientOptions {
  home: Home;
  url: string;
  args?: string[];
  listChanged?: ClientOptions['listChanged'];
}

/** The SDK 2.x client, which asks for the era first, over the built bridge; closed with the test. */
export async function modernClient({ home, url, args = [], listChanged }: ModernClientOptions): Promise<Client> {
  const options = { capabilities: { elicitation: {} }, versionNegotiation: { mode: 'auto' as const } };
  const info = { name: 'modern-client', version: '1.0.0' };
  const client = new Client(info, { ...options, ...(listChanged ? { listChanged } : {}) });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
  const env = strippedEnvironment(home);
  const program = { command: process.execPath, args: [builtBridge, '--url', url, ...args], env, cwd: '/' };
  await client.connect(new StdioClientTransport({ ...program, stderr: 'ignore' }));
  onTestFinished(() => client.close());
  return client;
}

/** `_meta` as every request of the era has it. */
export function modernMeta(more: object = {}): Record<string, unknown> {
  return {
    'io.modelcontextprotocol/protocolVersion': firstModern,
    'io.modelcontextprotocol/clientInfo': { name: 'raw-modern', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
    ...more,
  };
}

/** A raw client that speaks the era: sends a request and resolves with its response. */
export function asModern(client: RawClient) {
  return (method: string, params: object = {}, id?: string | number): Promise<Line['json']> =>
    client.request(method, { ...params, _meta: modernMeta() }, id);
}

/** Upstream speaks the era, and the bridge is told so. */
export const told = ['--protocol', firstModern];

/** A raw client in a home of its own. */
export async function rawModernClient(url: string, args = told): Promise<RawClient> {
  return spawnRaw({ home: await homeInTest(), url, args });
}
