import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import { deferred } from './deferred.ts';
import { directClient, upstreamInTest } from './in-test.ts';
import { signIn } from './oauth-client.ts';
import type { Upstream } from './upstream.ts';

const OPEN = { auth: false, testTools: true } as const;

async function names(client: Client): Promise<string[]> {
  return (await client.listTools()).tools.map(({ name }) => name);
}

async function textOf(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args });
  return (content as { text: string }[])[0]?.text ?? '';
}

/** Server-initiated messages need the GET stream to be open. */
function eventStream(upstream: Upstream, nth = 1): Promise<unknown> {
  return upstream.waitFor({ endpoint: 'mcp', method: 'GET', status: 200 }, { nth });
}

test('the SDK client with a bearer token lists and calls tools', async () => {
  const upstream = await upstreamInTest();
  const { tokens } = await signIn(upstream.origin);
  const client = await directClient(upstream, { accessToken: tokens.access_token });
  expect(client.getServerVersion()).toMatchObject({ name: 'Notion MCP (embedded)', version: '1.0.1' });
  expect(client.getServerCapabilities()).toMatchObject({
    tools: { listChanged: true },
    resources: { subscribe: true },
  });
  expect(client.getInstructions()).toContain('Search before you fetch');
  const { tools } = await client.listTools();
  expect(tools.filter(({ annotations }) => annotations?.readOnlyHint).map(({ name }) => name)).toEqual([
    'notion-search',
    'notion-fetch',
    'notion-get-comments',
    'notion-get-users',
  ]);
  await textOf(client, 'notion-create-pages', { pages: [{ properties: { title: 'Minutes' }, content: 'Agreed.' }] });
  const found = JSON.parse(await textOf(client, 'notion-search', { query: 'minutes' })) as {
    results: { url: string }[];
  };
  expect(JSON.parse(await textOf(client, 'notion-fetch', { id: found.results[0]?.url }))).toMatchObject({
    text: 'Agreed.',
  });
  expect(upstream.executions('notion-create-pages')).toBe(1);
});

test('sessions share the workspace: comments and updates of one are seen by the other', async () => {
  const upstream = await upstreamInTest(OPEN);
  const [one, other] = [await directClient(upstream), await directClient(upstream)];
  const page_id = upstream.workspace.pages[0]?.id ?? '';
  await textOf(one, 'notion-create-comment', { page_id, text: 'Nice' });
  await textOf(one, 'notion-update-page', { page_id, title: 'Renamed' });
  expect(await textOf(other, 'notion-get-comments', { page_id })).toContain('Nice');
  expect(await textOf(other, 'notion-fetch', { id: page_id })).toContain('Renamed');
  expect(upstream.sessions).toHaveLength(2);
});

test('resources, templates, the prompt and completions', async () => {
  const upstream = await upstreamInTest(OPEN);
  const updated = deferred<string>();
  const client = await directClient(upstream, {
    prepare: (it) =>
      it.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated.resolve(params.uri)),
  });
  const uri = 'notion://workspace/recent-pages';
  expect((await client.listResources()).resources.map((resource) => resource.uri)).toContain(uri);
  expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(1);
  await eventStream(upstream);
  await client.subscribeResource({ uri });
  await textOf(client, 'notion-create-pages', { pages: [{ properties: { title: 'Minutes' } }] });
  expect(await updated.promise).toBe(uri);
  expect(JSON.stringify(await client.readResource({ uri }))).toContain('Minutes');
  await expect(client.readResource({ uri: 'notion://page/none' })).rejects.toThrow('Resource not found');

  const { messages } = await client.getPrompt({ name: 'summarize-page', arguments: { page: 'Minutes' } });
  expect(JSON.stringify(messages)).toContain('Minutes');
  const argument = { name: 'page', value: 'min' };
  const { completion } = await client.complete({ ref: { type: 'ref/prompt', name: 'summarize-page' }, argument });
  expect(completion.values).toEqual(['Minutes']);
});

test('log messages obey the level that the client set', async () => {
  const upstream = await upstreamInTest(OPEN);
  const logged: unknown[] = [];
  const second = deferred<void>();
  const client = await directClient(upstream, {
    prepare: (it) =>
      it.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
        logged.push(params.data);
        second.resolve();
      }),
  });
  await eventStream(upstream);
  await client.setLoggingLevel('error');
  await textOf(client, 'notion-create-pages', { pages: [] });
  await client.setLoggingLevel('info');
  await textOf(client, 'notion-create-pages', { pages: [{}] });
  await second.promise;
  expect(logged).toEqual([{ created: 1 }]);
});

test('slow reports progress and counts cancellations', async () => {
  const upstream = await upstreamInTest(OPEN);
  const client = await directClient(upstream);
  const steps: number[] = [];
  const onprogress = ({ progress }: { progress: number }) => void steps.push(progress);
  await client.callTool({ name: 'slow', arguments: { ms: 3, steps: 3 } }, undefined, { onprogress });
  expect(steps).toEqual([1, 2, 3]);

  const cancelling = new AbortController();
  const { signal } = cancelling;
  const call = client.callTool({ name: 'slow', arguments: { ms: 60_000 } }, undefined, { signal });
  await upstream.waitFor({ tool: 'slow', status: 200 }, { nth: 2 });
  cancelling.abort('enough');
  await expect(call).rejects.toThrow('enough');
  await upstream.waitFor({ rpc: 'notifications/cancelled' });
  await expect.poll(() => upstream.cancellations).toBe(1);
});

test('ask, sample and roots reach the client', async () => {
  const upstream = await upstreamInTest(OPEN);
  const client = await directClient(upstream, {
    capabilities: { elicitation: {}, sampling: {}, roots: {} },
    prepare(it) {
      it.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { answer: '42' } }));
      it.setRequestHandler(CreateMessageRequestSchema, () => {
        return { model: 'none', role: 'assistant', content: { type: 'text', text: 'hello' } };
      });
      it.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///work', name: 'work' }] }));
    },
  });
  expect(JSON.parse(await textOf(client, 'ask'))).toEqual({ action: 'accept', content: { answer: '42' } });
  expect(await textOf(client, 'sample')).toContain('hello');
  expect(await textOf(client, 'roots')).toContain('file:///work');
});

test('big, count, echo-raw and refuse return what they promise', async () => {
  const upstream = await upstreamInTest(OPEN);
  const client = await directClient(upstream);
  expect(await textOf(client, 'big', { bytes: 1_000_001 })).toHaveLength(1_000_001);
  expect([await textOf(client, 'count'), await textOf(client, 'count')]).toEqual(['1', '2']);
  expect(upstream.executions('count')).toBe(2);
  const raw = await client.callTool({ name: 'echo-raw', arguments: { a: [1] }, _meta: { 'x/y': 'z' } });
  expect(raw).toMatchObject({ 'x-unknown-result': { kept: true }, _meta: { 'example.test/unknown': { kept: true } } });
  expect(JSON.stringify(raw.content)).toContain('x/y');
  const refused = await client.callTool({ name: 'refuse', arguments: { code: 'rate_limited' } });
  const error = { code: 'rate_limited', retry_after_seconds: 7 };
  expect(refused).toMatchObject({ isError: true, structuredContent: { error } });
});

test('tools come in pages, and the list changes for every session', async () => {
  const upstream = await upstreamInTest({ ...OPEN, paginate: 4 });
  let changes = 0;
  const prepare = (it: Client) =>
    it.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      changes += 1;
    });
  const [client] = [await directClient(upstream, { prepare }), await directClient(upstream, { prepare })];
  await eventStream(upstream, 2);
  const first = await client.listTools();
  expect(first.tools).toHaveLength(4);
  const second = await client.listTools({ cursor: first.nextCursor });
  expect(second.tools[0]?.name).toBe('notion-create-comment');
  await expect(client.listTools({ cursor: 'nonsense' })).rejects.toThrow('Invalid cursor');

  await textOf(client, 'notify-list-changed');
  await expect.poll(() => changes).toBe(2);
  await upstream.releaseToolList(2);
  await expect.poll(() => changes).toBe(4);
});

test('test tools and the tools of a later version are offered only when asked for', async () => {
  const plain = await directClient(await upstreamInTest({ auth: false }));
  expect(await names(plain)).not.toEqual(expect.arrayContaining(['slow']));
  expect(await names(plain)).not.toContain('notion-get-teams');
  const later = await directClient(await upstreamInTest({ ...OPEN, toolListVersion: 2 }));
  expect(await names(later)).toEqual(expect.arrayContaining(['slow', 'notion-get-teams']));
});

test('a dropped session is 404', async () => {
  const upstream = await upstreamInTest(OPEN);
  const client = await directClient(upstream);
  expect(await upstream.dropSessions()).toBe(1);
  await expect(client.listTools()).rejects.toMatchObject({ code: 404 });
});

test('the client that ends its session makes it unknown', async () => {
  const upstream = await upstreamInTest(OPEN);
  const client = await directClient(upstream);
  await (client.transport as unknown as { terminateSession(): Promise<void> }).terminateSession();
  expect(upstream.sessions).toEqual([]);
});

test('a call outlives the cut of its stream when events are kept', async () => {
  const upstream = await upstreamInTest({ ...OPEN, resumable: true });
  const client = await directClient(upstream);
  await eventStream(upstream);
  // Long enough that the answer is there before the client is back, and has to be replayed.
  upstream.faults.next('mcp', { kind: 'delay', ms: 200 }, { when: ({ lastEventId }) => lastEventId !== undefined });
  const began = deferred<void>();
  const onprogress = () => began.resolve();
  const call = client.callTool({ name: 'slow', arguments: { ms: 200, steps: 2 } }, undefined, { onprogress });
  await began.promise;
  expect(upstream.cutStreams()).toBe(2);
  expect(await call).toMatchObject({ content: [{ text: 'slept 200 ms' }] });
  expect(upstream.executions('slow')).toBe(1);
});

test('without kept events a cut stream loses the answer, and the client opens the event stream again', async () => {
  const upstream = await upstreamInTest(OPEN);
  await directClient(upstream);
  await eventStream(upstream);
  expect(upstream.cutStreams()).toBe(1);
  await eventStream(upstream, 2);
});
