import { once } from 'node:events';
import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { refresh } from './support/opened-tab.ts';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { answered, onMethod } from './support/scripted-upstream.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { expireTokens } from './support/stored-record.ts';
import { approve } from './support/upstream/browser.ts';
import type { Fault } from './support/upstream/faults.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

const ambiguous: [string, Fault, number][] = [
  ['the request is lost', { kind: 'lose-request' }, 0],
  ['the answer is lost', { kind: 'lose-response' }, 1],
  ['the connection breaks after the headers', { kind: 'cut-after-headers' }, 1],
  ['the answer is 500', { kind: 'status', status: 500 }, 0],
  ['the answer is 502, and the work was done', { kind: 'html', status: 502, handled: true }, 1],
  ['the answer is 503 without Retry-After', { kind: 'status', status: 503 }, 0],
  ['the answer is 504', { kind: 'html', status: 504 }, 0],
  ['the answer is no JSON', { kind: 'garbage-json', handled: true }, 1],
  ['the answer is a page, and the work was done', { kind: 'html', status: 200, handled: true }, 1],
  ['the answer is 202, and the work was done', { kind: 'status', status: 202, handled: true }, 1],
  ['the answer breaks off in its middle', { kind: 'cut-in-body', share: 0.5 }, 1],
];

const unserved: [string, Fault][] = [
  ['429', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
  ['503', { kind: 'status', status: 503, headers: { 'retry-after': '0' } }],
];

/** A greeted client that has seen the tools, so that their annotations are known. */
async function connected(upstream: Upstream, home?: Home): Promise<RawClient> {
  const client = spawnRaw({ home: home ?? (await homeInTest()), url: upstream.url });
  await client.hello();
  expect(await client.request('tools/list')).toHaveProperty('result');
  return client;
}

test.each(ambiguous)('when %s, a change is not sent again and its outcome is unknown', async (_how, fault, done) => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await connected(upstream);
  upstream.faults.next('mcp', fault, { when: { tool: 'count' } });
  const { result } = await client.call('count');
  expect(result).toMatchObject({
    isError: true,
    content: [{ text: expect.stringMatching(/^OUTCOME_UNKNOWN: .*look/s) }],
  });
  expect(upstream.count({ tool: 'count' })).toBe(1);
  expect(await client.textOf('count')).toBe(String(done + 1));
});

test.each(ambiguous)('when %s, a read is sent again and answered', async (_how, fault) => {
  const upstream = await upstreamInTest({ auth: false });
  const client = await connected(upstream);
  upstream.faults.next('mcp', fault, { when: { tool: 'notion-search' } });
  expect(await client.textOf('notion-search', { query: 'wiki' })).toContain('Engineering wiki');
  expect(upstream.count({ tool: 'notion-search' })).toBe(2);
});

test('a change that may be made twice, and a request that is no call, are sent again', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const client = await connected(upstream);
  upstream.faults.next('mcp', { kind: 'lose-response' }, { when: { tool: 'notion-update-page' } });
  upstream.faults.next('mcp', { kind: 'lose-response' }, { when: { rpc: 'prompts/get' } });
  const page_id = upstream.workspace.pages[0]?.id;
  expect(await client.textOf('notion-update-page', { page_id, title: 'New' })).toContain(page_id);
  expect(await client.request('prompts/get', { name: 'summarize-page' })).toHaveProperty('result');
  expect(upstream.executions('notion-update-page')).toBe(2);
});

test.each(unserved)('a change that was not served (%s with Retry-After) is sent again', async (_status, fault) => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await connected(upstream);
  upstream.faults.next('mcp', fault, { when: { tool: 'count' } });
  expect(await client.textOf('count')).toBe('1');
  expect(upstream.count({ tool: 'count' })).toBe(2);
});

test('a wait that does not fit into the bound is told at once, and the change is never sent', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await connected(upstream);
  const busy = { kind: 'status', status: 503, headers: { 'retry-after': '3600' } } as const;
  upstream.faults.next('mcp', busy, { when: { tool: 'count' } });
  const gate = upstream.faults.hold('mcp', { when: { rpc: 'tools/list' } });
  client.send({ id: 'list', method: 'tools/list' });
  const text = await client.textOf('count');
  // Sent earlier, and answered from the cache after 3 s.
  await client.receive(({ id }) => id === 'list');
  expect(client.lines.at(-1)?.json.id).toBe('list');
  gate.release();
  expect(text).toMatch(/^UPSTREAM_REFUSED: .*503/);
  expect(text).toContain('try again in 3600 seconds');
  expect(await client.textOf('count')).toBe('1');
});

test('a change that met a lost session is made once, in the new one', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await connected(upstream);
  await upstream.dropSessions();
  expect(await client.textOf('count')).toBe('1');
  expect(upstream.executions('count')).toBe(1);
});

test('a change that met a 401 is made once, with a token that is known', async () => {
  const upstream = await upstreamInTest({ testTools: true });
  const home = await homeInTest();
  const client = await connected(upstream, home);
  upstream.faults.next('mcp', { kind: 'unauthorized' }, { when: { tool: 'count' } });
  expect(await client.textOf('count')).toBe('1');
  await upstream.expireAccessTokens();
  expect(await client.textOf('count')).toBe('2');
  expect(upstream.executions('count')).toBe(2);
  expect(home.browser.tabs).toHaveLength(1);
});

test('a change never travels on a connection that was idle for long, which may be dead', async () => {
  const { client, upstream } = await line(
    onMethod('tools/call', ({ json: { id } }) => answered(id, { content: [{ type: 'text', text: 'done' }] })),
  );
  await client.textOf('change');
  const { socket } = await upstream.waitFor(({ json }) => json.method === 'tools/call');
  // The bridge itself closes what it will not use again.
  await once(socket, 'close');
  expect(await client.textOf('change')).toBe('done');
});

test('a call that the client cancels while it waits for the sign-in is never sent', async () => {
  const upstream = await upstreamInTest({ testTools: true });
  const home = await homeInTest('ignores');
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  client.send({ id: 'given up', method: 'tools/call', params: { name: 'count' } });
  const tab = await home.browser.tab();
  client.notify('notifications/cancelled', { requestId: 'given up' });
  await client.request('ping');
  await approve(tab.url);
  expect(await client.textOf('count')).toBe('1');
  expect(upstream.executions('count')).toBe(1);
  expect(client.lines.filter(({ json }) => json.id === 'given up')).toEqual([]);
});

const departures: [string, (client: RawClient) => void][] = [
  ['the client leaves', (client) => client.endInput()],
  ['the bridge is told to end', (client) => client.kill('SIGTERM')],
];

test.each(departures)('a call that waits for the refresh when %s is never sent', async (_how, leave) => {
  // regression: the refresh that was waited for at the exit let the call go, with nobody there to hear of it
  const upstream = await upstreamInTest({ testTools: true });
  const home = await homeInTest();
  const client = await connected(upstream, home);
  await expireTokens(home);
  const gate = upstream.faults.hold('token', { when: refresh });
  client.send({ id: 'given up', method: 'tools/call', params: { name: 'count' } });
  await gate.arrived;
  leave(client);
  await expect.poll(client.stderr, { timeout: 30_000 }).toContain('a request was answered with an error');
  gate.release();
  expect(await client.ended).toMatchObject({ code: 0 });
  expect(upstream.count({ tool: 'count' })).toBe(0);
});

test('a call that was answered with the link is never sent after the approval', async () => {
  const upstream = await upstreamInTest({ testTools: true });
  const home = await homeInTest('denies');
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  expect(await client.textOf('count')).toMatch(/^AUTHORIZATION_DENIED/);
  const reply = await client.textOf('count');
  expect(reply).toMatch(/^REAUTH_REQUIRED/);
  await approve(/http\S+$/.exec(reply)?.[0] as string);
  expect(await client.textOf('count')).toBe('1');
  expect(upstream.executions('count')).toBe(1);
});

test('a call that is being given up is not sent to a new session', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await connected(upstream);
  const call = upstream.faults.hold('mcp', { when: { tool: 'count' } });
  const cancellation = upstream.faults.hold('mcp', { when: { rpc: 'notifications/cancelled' } });
  client.send({ id: 'given up', method: 'tools/call', params: { name: 'count' } });
  await call.arrived;
  client.notify('notifications/cancelled', { requestId: 'given up' });
  await cancellation.arrived;
  await upstream.dropSessions();
  call.release();
  await upstream.waitFor({ tool: 'count', status: 404 });
  // Time enough for a new session.
  for (let round = 0; round < 200; round += 1) await client.request('ping');
  cancellation.release();
  expect(await client.textOf('count')).toBe('1');
  expect(upstream.count({ tool: 'count' })).toBe(2);
  expect(client.lines.filter(({ json }) => json.id === 'given up')).toEqual([]);
});

test('what could not be sent within its bound is told, and never sent', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await connected(upstream);
  await upstream.stop();
  const call = client.call('count');
  const prompt = client.request('prompts/get', { name: 'summarize-page' });
  expect((await call).result).toMatchObject({
    isError: true,
    content: [{ text: expect.stringMatching(/^UPSTREAM_UNREACHABLE: .*Next step: /) }],
  });
  expect((await prompt).error).toMatchObject({
    code: -32000,
    message: expect.stringContaining('could not reach the server'),
    data: { code: 'UPSTREAM_UNREACHABLE' },
  });
  await upstream.start();
  expect(await client.textOf('count')).toBe('1');
  expect(upstream.executions('count')).toBe(1);
});
