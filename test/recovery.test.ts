import { expect, test } from 'vitest';
import { type HelloOptions, type RawClient, spawnRaw } from './support/raw-client.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream, UpstreamOptions } from './support/upstream/upstream.ts';

const recentPages = 'notion://workspace/recent-pages';
const eventStream = { endpoint: 'mcp', method: 'GET', status: 200 } as const;

const listChanged = ({ method }: { method?: string }) => method === 'notifications/tools/list_changed';

interface Connected {
  upstream: Upstream;
  client: RawClient;
}

/** A client whose session stands, its event stream included. */
async function connected(options: UpstreamOptions = {}, hello: HelloOptions = {}): Promise<Connected> {
  const upstream = await upstreamInTest({ auth: false, testTools: true, ...options });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello(hello);
  expect(await client.request('tools/list')).toHaveProperty('result');
  await upstream.waitFor(eventStream);
  return { upstream, client };
}

function paramsOf(upstream: Upstream, rpc: string): unknown[] {
  return upstream.requests.filter((entry) => entry.rpc === rpc).map(({ json }) => (json as { params: unknown }).params);
}

test('a lost session is begun anew with the same parameters, and is set as the client had set it', async () => {
  const capabilities = { roots: {}, experimental: { 'x/y': { z: 1 } } };
  const { upstream, client } = await connected({}, { protocolVersion: '2025-06-18', capabilities });
  await client.request('logging/setLevel', { level: 'error' });
  await client.request('logging/setLevel', { level: 'info' });
  await client.request('resources/subscribe', { uri: recentPages });
  await client.request('resources/subscribe', { uri: 'notion://docs/enhanced-markdown-spec' });
  await client.request('resources/unsubscribe', { uri: 'notion://docs/enhanced-markdown-spec' });
  const levels = upstream.count({ rpc: 'logging/setLevel' });
  const subscriptions = upstream.count({ rpc: 'resources/subscribe' });

  await upstream.dropSessions();
  expect(await client.textOf('notion-search', { query: 'wiki' })).toContain('Engineering wiki');
  expect(upstream.executions('notion-search')).toBe(1);
  const [first, second] = paramsOf(upstream, 'initialize');
  expect(second).toEqual(first);
  expect(second).toMatchObject({ protocolVersion: '2025-06-18', capabilities });

  await upstream.waitFor({ rpc: 'logging/setLevel', status: 200 }, { nth: levels + 1 });
  await upstream.waitFor({ rpc: 'resources/subscribe', status: 200 }, { nth: subscriptions + 1 });
  await upstream.waitFor(eventStream, { nth: 2 });
  await client.call('notion-create-pages', { pages: [{ properties: { title: 'Minutes' } }] });
  await client.receive(({ method }) => method === 'notifications/message');
  const updated = await client.receive(({ method }) => method === 'notifications/resources/updated');
  expect(updated.json.params.uri).toBe(recentPages);
  expect(paramsOf(upstream, 'logging/setLevel').slice(levels)).toEqual([{ level: 'info' }]);
  expect(paramsOf(upstream, 'resources/subscribe').slice(subscriptions)).toEqual([{ uri: recentPages }]);
});

test('twenty calls that meet a lost session begin one, and each is made once', async () => {
  const { upstream, client } = await connected();
  await upstream.dropSessions();
  const calls = Array.from({ length: 20 }, () => client.textOf('count'));
  const counted = (await Promise.all(calls)).map(Number).sort((a, b) => a - b);
  expect(counted).toEqual(Array.from({ length: 20 }, (_, nth) => nth + 1));
  expect(upstream.count({ rpc: 'initialize' })).toBe(2);
});

test('reading ahead for a session that is over leaves the new one alone', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  const gate = upstream.faults.hold('mcp', { when: { rpc: 'resources/list' } });
  await client.hello();
  await client.call('notion-get-users');
  const held = await gate.arrived;
  await upstream.dropSessions();
  await client.call('notion-get-users');
  gate.release();
  await upstream.waitFor({ rpc: 'resources/list', status: 404, sessionId: held.sessionId as string });
  for (let round = 0; round < 5; round += 1) await client.call('notion-get-users');
  expect(upstream.count({ rpc: 'initialize' })).toBe(2);
});

test('a restart of the server is not noticed', async () => {
  const { upstream, client } = await connected();
  await upstream.restart();
  expect(await client.textOf('notion-search', { query: 'wiki' })).toContain('Engineering wiki');
  expect(await client.textOf('count')).toBe('1');
  expect(upstream.sessions).toHaveLength(1);
});

test('an answer whose stream is cut is resumed after its last event', async () => {
  const { upstream, client } = await connected({ resumable: true });
  const answer = client.request('tools/call', {
    name: 'slow',
    arguments: { ms: 400, steps: 4 },
    _meta: { progressToken: 'p' },
  });
  await client.receive(({ method }) => method === 'notifications/progress');
  upstream.cutStreams();
  expect((await answer).result).toEqual({ content: [{ type: 'text', text: 'slept 400 ms' }] });
  const steps = client.lines.filter(({ json }) => json.method === 'notifications/progress');
  expect(steps.map(({ json }) => json.params.progress)).toEqual([1, 2, 3, 4]);
  expect(upstream.executions('slow')).toBe(1);
  expect(upstream.count(({ method, lastEventId }) => method === 'GET' && lastEventId !== undefined)).toBeGreaterThan(0);
});

test('an answer is resumed with a new token when the one that it was asked for with has ended', async () => {
  const { upstream, client } = await connected({ auth: true, resumable: true });
  const params = { name: 'slow', arguments: { ms: 400, steps: 4 }, _meta: { progressToken: 'p' } };
  const answer = client.request('tools/call', params);
  await client.receive(({ method }) => method === 'notifications/progress');
  await upstream.expireAccessTokens();
  upstream.cutStreams();
  expect((await answer).result).toEqual({ content: [{ type: 'text', text: 'slept 400 ms' }] });
  expect(upstream.executions('slow')).toBe(1);
  expect(upstream.count({ grantType: 'refresh_token' })).toBe(1);
});

test('without events to resume from, a read is made again and a change has an unknown outcome', async () => {
  const { upstream, client } = await connected({}, { capabilities: { elicitation: {} } });
  const read = client.request('tools/call', {
    name: 'slow',
    arguments: { ms: 100, steps: 2 },
    _meta: { progressToken: 'p' },
  });
  const change = client.call('ask');
  await client.receive(({ method }) => method === 'elicitation/create');
  await client.receive(({ method }) => method === 'notifications/progress');
  upstream.cutStreams();
  expect((await read).result.content[0].text).toBe('slept 100 ms');
  expect((await change).result.content[0].text).toMatch(/^OUTCOME_UNKNOWN/);
  expect(upstream.executions('ask')).toBe(1);
});

test('a cut event stream is opened again', async () => {
  const { upstream, client } = await connected();
  expect(upstream.cutStreams()).toBe(1);
  await upstream.waitFor(eventStream, { nth: 2 });
  await upstream.releaseToolList(2);
  await client.receive(listChanged);
});

test('a cut event stream goes on after its last event, so that nothing said meanwhile is lost', async () => {
  const { upstream, client } = await connected({ resumable: true });
  await upstream.releaseToolList(2);
  await client.receive(listChanged);
  expect(upstream.cutStreams()).toBe(1);
  await upstream.releaseToolList(3);
  await client.receive(listChanged, 2);
  expect(await upstream.waitFor(eventStream, { nth: 2 })).toHaveProperty('lastEventId');
});

test('a notification that the server never takes holds up the next call only so long', async () => {
  const { upstream, client } = await connected();
  const gate = upstream.faults.hold('mcp', { when: { rpc: 'notifications/roots/list_changed' } });
  client.notify('notifications/roots/list_changed');
  await gate.arrived;
  const call = client.textOf('count');
  await client.request('ping');
  expect(upstream.count({ tool: 'count' })).toBe(0);
  expect(await call).toBe('1');
  gate.release();
});

test('a bridge that starts offline works as soon as the server is there', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  await upstream.stop();
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  const call = client.textOf('count');
  // Time enough for a first attempt.
  for (let round = 0; round < 100; round += 1) await client.request('ping');
  await upstream.start();
  expect(await call).toBe('1');
  expect(await client.textOf('count')).toBe('2');
});

test('a client that leaves ends the session at the server', async () => {
  const { upstream, client } = await connected();
  expect(upstream.sessions).toHaveLength(1);
  client.endInput();
  expect(await client.ended).toMatchObject({ code: 0 });
  await upstream.waitFor({ method: 'DELETE', status: 200 });
  expect(upstream.sessions).toEqual([]);
});
