import { Client as SecondClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as SecondTransport } from '@modelcontextprotocol/client/stdio';
import { Client as FirstClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as FirstTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { builtBridge, type Home, strippedEnvironment } from './spawn-bridge.ts';

/** What the client says when the server asks, and whom it tells when the server speaks. */
export interface Person {
  elicitation: { action: 'accept'; content: Record<string, string> };
  sampling: { model: string; role: 'assistant'; content: { type: 'text'; text: string } };
  roots: { roots: { uri: string; name: string }[] };
  onToolListChanged(): void;
  onResourceUpdated(uri: string): void;
  onLogged(data: unknown): void;
}

type Shared =
  | 'listTools'
  | 'listResources'
  | 'listResourceTemplates'
  | 'listPrompts'
  | 'getPrompt'
  | 'readResource'
  | 'complete'
  | 'setLoggingLevel'
  | 'subscribeResource'
  | 'getServerVersion'
  | 'getInstructions';

/** What both lines of the SDK can do, in the words that they share. */
export type SdkClient = Pick<SecondClient, Shared> & {
  call(name: string, args?: object, options?: CallOptions): Promise<{ content: { text?: string }[] }>;
};

interface CallOptions {
  signal?: AbortSignal;
  onprogress?: (progress: { progress: number }) => void;
}

type Spawn = (home: Home, url: string, person: Person) => Promise<SdkClient>;

const info = { name: 'sdk-client', version: '1.0.0' };
const capabilities = { elicitation: {}, sampling: {}, roots: {} };

function command(home: Home, url: string) {
  const args = [builtBridge, '--url', url];
  return { command: process.execPath, args, env: strippedEnvironment(home), cwd: '/', stderr: 'ignore' as const };
}

const first: Spawn = async (home, url, person) => {
  const client = new FirstClient(info, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, () => person.elicitation);
  client.setRequestHandler(CreateMessageRequestSchema, () => person.sampling);
  client.setRequestHandler(ListRootsRequestSchema, () => person.roots);
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => person.onToolListChanged());
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) =>
    person.onResourceUpdated(params.uri),
  );
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => person.onLogged(params.data));
  await client.connect(new FirstTransport(command(home, url)));
  onTestFinished(() => client.close());
  const call = (name: string, args: object = {}, options: CallOptions = {}) =>
    client.callTool({ name, arguments: { ...args } }, undefined, options);
  return Object.assign(client, { call }) as unknown as SdkClient;
};

const second =
  (mode: 'legacy' | 'auto'): Spawn =>
  async (home, url, person) => {
    const client = new SecondClient(info, { capabilities, versionNegotiation: { mode } });
    client.setRequestHandler('elicitation/create', () => person.elicitation);
    client.setRequestHandler('sampling/createMessage', () => person.sampling);
    client.setRequestHandler('roots/list', () => person.roots);
    client.setNotificationHandler('notifications/tools/list_changed', () => person.onToolListChanged());
    client.setNotificationHandler('notifications/resources/updated', ({ params }) =>
      person.onResourceUpdated(params.uri),
    );
    client.setNotificationHandler('notifications/message', ({ params }) => person.onLogged(params.data));
    await client.connect(new SecondTransport(command(home, url)));
    onTestFinished(() => client.close());
    const call = (name: string, args: object = {}, options: CallOptions = {}) =>
      client.callTool({ name, arguments: { ...args } }, options);
    return Object.assign(client, { call }) as unknown as SdkClient;
  };

/** Each line of the SDK, as a client would spawn the bridge with it. */
export const sdkClients: [string, Spawn][] = [
  ['the SDK 1.x client', first],
  ['the SDK 2.x client', second('legacy')],
  ['the SDK 2.x client that asks for the era first', second('auto')],
];
