import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { builtBridge } from '../support/spawn-client.ts';
import { openStdio, type StdioClient } from './stdio-client.ts';

export type SubjectName = Spawned | 'direct';
/** `before`: another build of the bridge, to see what a change does. */
export type Spawned = 'bridge' | 'before' | 'mcp-remote' | 'bare Node';

const require = createRequire(import.meta.url);
export const remoteManifest = require.resolve('mcp-remote/package.json');
const remote = join(dirname(remoteManifest), require(remoteManifest).bin['mcp-remote']);
const bareNode = fileURLToPath(new URL('./bare-node.mjs', import.meta.url));

/** What Node.js runs for each of them, without npx. Everything is left at its default. */
export const programsWith = (before: string | undefined): Record<Spawned, (url: string) => string[]> => ({
  bridge: (url) => [builtBridge, '--url', url],
  before: (url) => [resolve(before ?? ''), '--url', url],
  'mcp-remote': (url) => [remote, url],
  'bare Node': () => [bareNode],
});

const clientInfo = { name: 'bench', version: '1.0.0' };
const hello = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };

/** What the measurements do with a subject, however it is reached. */
export interface Connected {
  /** Of the process that costs what it costs to be connected; of the direct client it is the one that measures. */
  pid: number;
  /** Calls the tool that gives a page of this size. Rejects when the page is not whole. */
  page(bytes: number): Promise<void>;
  /** Calls the tool that reports progress. Rejects when a notification is missing. */
  report(times: number): Promise<void>;
  close(): Promise<void>;
}

/** Begins a session as every client does. */
export async function greet(client: StdioClient, onInitialized: () => void = () => undefined): Promise<void> {
  await client.request('initialize', hello);
  onInitialized();
  client.notify('notifications/initialized');
}

export async function connectSpawned(args: readonly string[], env: Record<string, string>): Promise<Connected> {
  const client = openStdio(args, env);
  await greet(client);
  await client.request('tools/list');
  const call = (name: string, args: object, withProgress = false) =>
    client.request('tools/call', { name, arguments: args }, withProgress);
  return {
    pid: client.pid,
    page: async (bytes) => requireWhole((await call('page', { bytes })).result, bytes),
    report: async (times) => requireAll((await call('report', { times }, true)).progress, times),
    close: client.close,
  };
}

export async function connectDirectly(url: string): Promise<Connected> {
  const client = new Client(clientInfo);
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  await client.listTools();
  const call = (name: string, args: Record<string, unknown>, onprogress?: () => void) =>
    client.callTool({ name, arguments: args }, onprogress ? { onprogress } : {});
  return {
    pid: process.pid,
    page: async (bytes) => requireWhole(await call('page', { bytes }), bytes),
    report: async (times) => {
      let came = 0;
      await call('report', { times }, () => {
        came += 1;
      });
      requireAll(came, times);
    },
    close: () => client.close(),
  };
}

/** The text has fewer characters than bytes, by less than a tenth. */
function requireWhole(result: unknown, bytes: number): void {
  const [content] = (result as { content: { text?: string }[] }).content;
  const length = content?.text?.length ?? 0;
  if (length > bytes || length < bytes * 0.9)
    throw new Error(`a page of ${bytes} bytes came with ${length} characters`);
}

function requireAll(came: number, times: number): void {
  if (came !== times) throw new Error(`${came} of ${times} notifications came`);
}
