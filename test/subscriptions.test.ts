import { expect, test } from 'vitest';
import { asModern, modernMeta, told } from './support/modern-client.ts';
import { modernUpstream } from './support/modern-upstream.ts';
import { type Line, type RawClient, spawnRaw } from './support/raw-client.ts';
import { runCommand } from './support/run-command.ts';
import {
  type Arrived,
  answered,
  openStream,
  type ScriptedUpstream,
  scriptedUpstream,
} from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { approve } from './support/upstream/browser.ts';

const everything = { toolsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ['notion://page'] };
const listening = { rpc: 'subscriptions/listen' } as const;
const isAbout = (id: string, method: string) => (json: Line['json']) =>
  json.method === `notifications/${method}` && json.params._meta['io.modelcontextprotocol/subscriptionId'] === id;
const acknowledged = 'subscriptions/acknowledged';
const toolsChanged = 'tools/list_changed';

function listen(client: RawClient, id: string, notifications: object = everything): void {
  client.send({ id, method: 'subscriptions/listen', params: { notifications, _meta: modernMeta() } });
}

function counted(client: RawClient, matches: (json: Line['json']) => boolean): number {
  return client.lines.filter(({ json }) => matches(json)).length;
}

async function modern(auth = false) {
  const server = await modernUpstream({ auth });
  const home = await homeInTest('ignores');
  const client = spawnRaw({ home, url: server.upstream.url, args: told });
  return { ...server, home, client };
}

test('each subscription gets what it listens for, in its own name', async () => {
  const { client, notify } = await modern();
  listen(client, 'all');
  listen(client, 'tools', { toolsListChanged: true });
  expect((await client.receive(isAbout('all', acknowledged))).json.params.notifications).toEqual(everything);
  await client.receive(isAbout('tools', acknowledged));
  notify.resourceUpdated('notion://page');
  expect((await client.receive(isAbout('all', 'resources/updated'))).json.params.uri).toBe('notion://page');
  notify.toolsChanged();
  await client.receive(isAbout('tools', toolsChanged));
  await client.receive(isAbout('all', toolsChanged));
  expect(counted(client, isAbout('tools', 'resources/updated'))).toBe(0);
});

test('a stream that was cut is opened again; the client hears of it only what has changed meanwhile', async () => {
  const { client, upstream, notify, reveal } = await modern();
  listen(client, 'a');
  await client.receive(isAbout('a', acknowledged));
  await asModern(client)('tools/list');
  // So that its lists are read ahead before anything changes.
  await upstream.waitFor({ rpc: 'resources/templates/list', status: 200 });
  const read = upstream.count({ rpc: 'tools/list' });
  reveal();
  expect(upstream.cutStreams()).toBe(1);
  await upstream.waitFor({ ...listening, status: 200 }, { nth: 2 });
  await upstream.waitFor({ rpc: 'tools/list', status: 200 }, { nth: read + 1 });
  await client.receive(isAbout('a', toolsChanged));
  notify.resourceUpdated('notion://page');
  await client.receive(isAbout('a', 'resources/updated'));
  expect(counted(client, isAbout('a', acknowledged))).toBe(1);
  expect(counted(client, isAbout('a', toolsChanged))).toBe(1);
  expect(counted(client, ({ id }) => id === 'a')).toBe(0);
});

test('a page in the place of the stream is no end of a subscription', async () => {
  const { client, upstream, notify } = await modern();
  listen(client, 'a');
  await client.receive(isAbout('a', acknowledged));
  upstream.faults.next('mcp', { kind: 'html', status: 404 }, { when: listening });
  upstream.cutStreams();
  await upstream.waitFor({ ...listening, status: 404 });
  await upstream.waitFor({ ...listening, status: 200 }, { nth: 2 });
  notify.toolsChanged();
  await client.receive(isAbout('a', toolsChanged));
  expect(counted(client, ({ id }) => id === 'a')).toBe(0);
});

test('while the server is away, a subscription is acknowledged by us, and stands once it is back', async () => {
  const { client, upstream, notify } = await modern();
  await upstream.stop();
  listen(client, 'a');
  expect((await client.receive(isAbout('a', acknowledged))).json.params.notifications).toEqual(everything);
  await upstream.start();
  await upstream.waitFor({ ...listening, status: 200 });
  notify.toolsChanged();
  await client.receive(isAbout('a', toolsChanged));
  expect(counted(client, isAbout('a', acknowledged))).toBe(1);
});

test('signed out it is acknowledged by us; after the sign-in it says that there are tools, and stands at the server', async () => {
  const { client, upstream, home, notify } = await modern(true);
  listen(client, 'a');
  await client.receive(isAbout('a', acknowledged));
  const first = await asModern(client)('tools/list');
  expect(first.result.tools).toMatchObject([{ name: 'notion-connect' }]);
  const { url } = await home.browser.tab(1);
  await approve(url);
  await client.receive(isAbout('a', toolsChanged));
  await upstream.waitFor({ ...listening, status: 200 });
  const second = await asModern(client)('tools/list');
  expect(second.result.tools.map(({ name }: { name: string }) => name)).toContain('count');
  notify.resourceUpdated('notion://page');
  await client.receive(isAbout('a', 'resources/updated'));
});

test('signing in as somebody else opens the stream anew, with the new token; the client does not hear of it', async () => {
  const { client, upstream, home } = await modern(true);
  home.browser.person = 'approves';
  expect(await asModern(client)('tools/call', { name: 'count' })).not.toHaveProperty('result.isError');
  listen(client, 'a');
  const before = await upstream.waitFor({ ...listening, status: 200 });
  const login = await runCommand(home, ['login', '--force', '--url', upstream.url]).ended;
  expect(login, login.stderr).toMatchObject({ code: 0 });
  const after = await upstream.waitFor({ ...listening, status: 200 }, { nth: 2 });
  expect(after.accessToken).not.toBe(before.accessToken);
  expect(await asModern(client)('tools/call', { name: 'count' })).not.toHaveProperty('result.isError');
  expect(upstream.requests.findLast(({ tool }) => tool === 'count')?.accessToken).toBe(after.accessToken);
  expect(client.lines.filter(({ json }) => json.id === 'a' || isAbout('a', acknowledged)(json))).toHaveLength(1);
});

test('cancelling closes the stream, for good', async () => {
  const { client, upstream, notify } = await modern();
  listen(client, 'a');
  listen(client, 'b');
  await client.receive(isAbout('a', acknowledged));
  await client.receive(isAbout('b', acknowledged));
  client.notify('notifications/cancelled', { requestId: 'a' });
  await client.request('ping');
  notify.toolsChanged();
  await client.receive(isAbout('b', toolsChanged));
  expect(upstream.cutStreams()).toBe(1);
  await upstream.waitFor({ ...listening, status: 200 }, { nth: 3 });
  expect(counted(client, isAbout('a', toolsChanged))).toBe(0);
  expect(upstream.count(listening)).toBe(3);
});

interface Subscribed {
  client: RawClient;
  upstream: ScriptedUpstream;
  arrived: Arrived;
  say(message: object): void;
}

const capabilities = { tools: {} };
/** Asked by the bridge itself. */
const isOwn = (id: unknown) => String(id).startsWith('notion-mcp-bridge:');

/** A server whose stream the test writes, and which leaves the bridge waiting for its lists. */
async function scripted(answer?: (arrived: Arrived) => { status: number; body: string }): Promise<Subscribed> {
  const upstream = await scriptedUpstream((arrived) => {
    const { id, method } = arrived.json;
    if (method === 'server/discover') return answered(id, { supportedVersions: ['2026-07-28'], capabilities });
    if (method === 'tools/list' && isOwn(id)) return 'own';
    if (method === 'tools/list') return answered(id, { tools: [{ name: 'first' }] });
    if (method !== 'subscriptions/listen') return undefined;
    if (answer) return answer(arrived);
    openStream(arrived);
    return 'own';
  });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url, args: told });
  listen(client, 'a');
  const arrived = await upstream.waitFor(({ json }) => json.method === 'subscriptions/listen');
  const say = (message: object) =>
    void arrived.response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
  return { client, upstream, arrived, say };
}

const _meta = { 'io.modelcontextprotocol/subscriptionId': 'a' };
const acknowledge = (notifications: object) => ({
  method: `notifications/${acknowledged}`,
  params: { _meta, notifications },
});

test('when the server ends a subscription, the client hears it in the bytes of the server', async () => {
  const { client, say } = await scripted();
  say(acknowledge(everything));
  say({ id: 'a', result: { resultType: 'complete', _meta, x: 1 } });
  expect((await client.receive(({ id }) => id === 'a')).json.result).toEqual({ resultType: 'complete', _meta, x: 1 });
});

test('an error of the server is the answer', async () => {
  const error = { code: -32603, message: 'Subscription limit reached', x: 1 };
  const { client } = await scripted(({ json: { id } }) => ({
    status: 400,
    body: JSON.stringify({ jsonrpc: '2.0', id, error }),
  }));
  expect((await client.receive(({ id }) => id === 'a')).json.error).toEqual(error);
});

test('a server that announces no changes: the subscription stays with us, and tells those that we see', async () => {
  const { client, upstream, say, arrived } = await scripted();
  say(acknowledge({}));
  say({ id: 'a', result: { resultType: 'complete', _meta } });
  arrived.response.end();
  const honoured = { toolsListChanged: true, resourcesListChanged: true };
  expect((await client.receive(isAbout('a', acknowledged))).json.params.notifications).toEqual(honoured);
  expect((await asModern(client)('tools/list')).result.tools).toEqual([{ name: 'first' }]);
  const { json, response } = await upstream.waitFor(({ json }) => json.method === 'tools/list' && isOwn(json.id));
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(answered(json.id, { tools: [{ name: 'second' }] }).body);
  await client.receive(isAbout('a', toolsChanged));
  expect(counted(client, ({ id }) => id === 'a')).toBe(0);
});

test('a server that tears a subscription down says so to the client, and is not asked for it again', async () => {
  const { client, upstream, arrived, say } = await scripted();
  say({ method: 'notifications/cancelled', params: { requestId: 'a' } });
  arrived.response.end();
  await client.receive(({ method }) => method === 'notifications/cancelled');
  const of = (id: string) => (request: Arrived) => request.json.id === id;
  // One that breaks off twice takes longer to be back than the first pause could have lasted.
  listen(client, 'b');
  for (const nth of [1, 2]) (await upstream.waitFor(of('b'), nth)).response.end();
  await upstream.waitFor(of('b'), 3);
  expect(upstream.arrived.filter(of('a'))).toHaveLength(1);
});
