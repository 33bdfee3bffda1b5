import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { ClientCapabilities } from '@modelcontextprotocol/sdk/types.js';
import type { ConnectionRecord } from '../../src/credentials/record.ts';
import { openStandInBrowser, type Person, type StandInBrowser } from './stand-in-browser.ts';

export const builtBridge = new URL('../../dist/cli.js', import.meta.url).pathname;

/** An empty home folder, and the person who uses it. */
export interface Home {
  path: string;
  browser: StandInBrowser;
  /** The one connection record under this home, or undefined. */
  record(): Promise<ConnectionRecord | undefined>;
  /** The side file of cached lists, or undefined. */
  lists(): Promise<{ clients: Record<string, { lists: object }> } | undefined>;
  /** Files of the store. */
  files(): Promise<string[]>;
}

/** A home that whoever opens it also removes. */
export interface TemporaryHome extends Home {
  remove(): Promise<void>;
}

export async function openHome(person: Person = 'approves'): Promise<TemporaryHome> {
  const path = await mkdtemp(join(tmpdir(), 'notion-mcp-bridge-'));
  const browser = await openStandInBrowser(path, person);
  const remove = async () => {
    browser.close();
    await rm(path, { recursive: true, force: true });
  };
  const folder = join(path, '.notion-mcp-bridge');
  const files = () => readdir(folder).catch(() => []);
  const read = async <T>(ending: RegExp) => {
    const name = (await files()).find((file) => ending.test(file));
    return name === undefined ? undefined : (JSON.parse(await readFile(join(folder, name), 'utf8')) as T);
  };
  const record = () => read<ConnectionRecord>(/-[0-9a-f]{8}\.json$/);
  const lists: Home['lists'] = () => read(/-[0-9a-f]{8}\.lists\.json$/);
  return { path, browser, record, lists, files, remove };
}

/** What a desktop app leaves of the environment (clients.md), and the stand-in for the browser. */
export function strippedEnvironment(home: Home): Record<string, string> {
  const { PATH = '', SHELL = '/bin/sh', USER = 'ada' } = process.env;
  return { HOME: home.path, LOGNAME: USER, PATH, SHELL, TERM: 'xterm', USER, BROWSER: home.browser.command };
}

export interface BridgeOptions {
  home: Home;
  /** The upstream's URL. */
  url: string;
  args?: string[];
  env?: Record<string, string>;
  clientInfo?: { name: string; version: string };
  capabilities?: ClientCapabilities;
  /** Sets handlers before the client connects. */
  prepare?: (client: Client) => void;
}

export interface SpawnedBridge {
  client: Client;
  pid: number;
  stderr(): string;
  close(): Promise<void>;
  /** Calls a tool and gives the text of its result. */
  call(name: string, args?: Record<string, unknown>): Promise<{ text: string; isError: boolean }>;
}

/** The program that the client spawns, when it is not the built bridge itself. */
export interface ServerProgram {
  command: string;
  args: string[];
  env: Record<string, string>;
  cwd?: string;
}

/** The SDK 1.x client over the built bridge, spawned as a client spawns it. */
export function connectBridge({ home, url, args = [], env = {}, ...options }: BridgeOptions): Promise<SpawnedBridge> {
  const program = {
    command: process.execPath,
    args: [builtBridge, '--url', url, ...args],
    env: { ...strippedEnvironment(home), ...env },
  };
  return connectProgram(program, options);
}

export type ClientOptions = Pick<BridgeOptions, 'clientInfo' | 'capabilities' | 'prepare'>;

/** The SDK 1.x client over any program that speaks MCP on stdio. */
export async function connectProgram(program: ServerProgram, options: ClientOptions = {}): Promise<SpawnedBridge> {
  const { clientInfo = { name: 'test-client', version: '1.0.0' }, capabilities = {}, prepare } = options;
  const client = new Client(clientInfo, { capabilities });
  prepare?.(client);
  const transport = new StdioClientTransport({ cwd: '/', ...program, stderr: 'pipe' });
  let stderr = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  await client.connect(transport);
  return {
    client,
    pid: transport.pid as number,
    stderr: () => stderr,
    close: () => client.close(),
    call: async (name, args = {}) => {
      const result = await client.callTool({ name, arguments: args });
      const content = result.content as { text?: string }[];
      return { text: content.map(({ text = '' }) => text).join('\n'), isError: result.isError === true };
    },
  };
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}
