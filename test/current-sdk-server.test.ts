import { McpServer, WebStandardStreamableHTTPServerTransport as Transport } from '@modelcontextprotocol/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { serveWeb } from './support/serve-web.ts';
import { homeInTest } from './support/spawn-bridge.ts';

const isProgress = ({ method }: { method?: string }) => method === 'notifications/progress';
const isListChanged = ({ method }: { method?: string }) => method === 'notifications/tools/list_changed';

/** A server as the current SDK makes it, with a tool that counts, and one that shows another. */
function createServer(): McpServer {
  const server = new McpServer({ name: 'current', version: '2.0.0' }, { instructions: 'Count.' });
  const inputSchema = z.object({ to: z.number() });
  server.registerTool('count', { inputSchema }, async ({ to }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (let progress = 1; progress <= to && progressToken !== undefined; progress += 1)
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: to } });
    return { content: [{ type: 'text', text: `counted to ${to}` }] };
  });
  const hidden = server.registerTool('hidden', {}, async () => ({ content: [] }));
  hidden.disable();
  server.registerTool('reveal', {}, async () => {
    hidden.enable();
    return { content: [{ type: 'text', text: 'revealed' }] };
  });
  return server;
}

/** One server for one client, with a session or without. */
async function connected(options: ConstructorParameters<typeof Transport>[0]): Promise<RawClient> {
  const transport = new Transport(options);
  const server = createServer();
  await server.connect(transport);
  const url = await serveWeb((request) => transport.handleRequest(request));
  onTestFinished(() => server.close());
  const client = spawnRaw({ home: await homeInTest(), url });
  await client.hello();
  return client;
}

async function names(client: RawClient): Promise<string[]> {
  const { result } = await client.request('tools/list');
  return result.tools.map(({ name }: { name: string }) => name);
}

describe('a server of the current SDK (2.x), without authorization', () => {
  test('is called, tells its progress, and announces a tool that it reveals', async () => {
    const client = await connected({ sessionIdGenerator: () => crypto.randomUUID() });
    expect(await names(client)).toEqual(['count', 'reveal']);
    const params = { name: 'count', arguments: { to: 3 }, _meta: { progressToken: 'p' } };
    const { result } = await client.request('tools/call', params);
    expect(result).toMatchObject({ content: [{ text: 'counted to 3' }] });
    const told = client.lines.filter(({ json }) => isProgress(json));
    expect(told.map(({ json }) => json.params.progress)).toEqual([1, 2, 3]);
    expect(await client.textOf('reveal')).toBe('revealed');
    await client.receive(isListChanged);
    expect(await names(client)).toEqual(['count', 'hidden', 'reveal']);
  });

  test('is called, where it answers with JSON instead of streams', async () => {
    const client = await connected({ sessionIdGenerator: () => crypto.randomUUID(), enableJsonResponse: true });
    expect(await names(client)).toEqual(['count', 'reveal']);
    expect(await client.textOf('count', { to: 2 })).toBe('counted to 2');
  });

  test('refuses arguments in its own words', async () => {
    const client = await connected({ sessionIdGenerator: () => crypto.randomUUID() });
    expect(JSON.stringify(await client.call('count', { to: 'x' }))).toContain('Invalid arguments');
  });
});

test('a server of the current SDK that keeps no session, and is made anew for each request, is called', async () => {
  const url = await serveWeb(async (request) => {
    const transport = new Transport({});
    await createServer().connect(transport);
    return transport.handleRequest(request);
  });
  const client = spawnRaw({ home: await homeInTest(), url });
  await client.hello();
  expect(await names(client)).toEqual(['count', 'reveal']);
  const calls = Array.from({ length: 20 }, (_, nth) => client.textOf('count', { to: nth }));
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, nth) => `counted to ${nth}`));
});
