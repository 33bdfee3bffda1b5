import { expect, test } from 'vitest';
import { createHands } from '../src/mcp/hands.ts';
import { upstreamAt } from './support/calling.ts';
import { clockInTest } from './support/clock.ts';
import { line } from './support/line.ts';
import { spawnRaw } from './support/raw-client.ts';
import { runCommand } from './support/run-command.ts';
import { type Arrived, type Others, type Script, scriptedUpstream, sessions } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { deferred } from './support/upstream/deferred.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { RequestEntry } from './support/upstream/request-log.ts';

// A client that asks for nothing meanwhile has everything again when the server is back (P7).

const eventStream = { endpoint: 'mcp', method: 'GET', status: 200 } as const;
const listChanged = ({ method }: { method?: string }) => method === 'notifications/tools/list_changed';
const isInitialize = ({ json }: Arrived) => json.method === 'initialize';

const away: Script = ({ socket }) => {
  socket.destroy();
  return 'own';
};

/** An initialised client at a server that does not begin a session, for as long as it answers `initialize` like that. */
async function withoutSession(trouble: Script) {
  const state = { isAway: true };
  const server = await scriptedUpstream((arrived) => (state.isAway ? trouble(arrived) : undefined));
  const clock = clockInTest();
  const begun = deferred<void>();
  const special = { onSession: begun.resolve, random: () => 0.5 };
  const upstream = await upstreamAt(server.url, clock, special);
  await upstream.confirm();
  const hands = createHands(clock, 10_000, new AbortController().signal);
  await upstream.connect(hands).finally(hands.release);
  /** How long it waits before it tries again; undefined when it does not. */
  const pauses = () => clock.untilSleeps((ms) => ms < 25_000 || ms > 30_000, begun.promise);
  return { server, clock, upstream, state, pauses, begun: begun.promise };
}

test('a server that is away for hours is looked for, ever more rarely, until it is back', async () => {
  const { server, clock, state, pauses, begun } = await withoutSession(away);
  const waited: unknown[] = [];
  for (let asked = 2; asked <= 300; asked += 1) {
    const pause = await pauses();
    waited.push(pause);
    state.isAway = asked < 300;
    clock.advance(pause ?? 0);
    await server.waitFor(isInitialize, asked);
  }
  await begun;
  expect(waited.slice(0, 6)).toEqual([750, 1_500, 3_000, 6_000, 12_000, 22_500]);
  expect(new Set(waited.slice(5))).toEqual(new Set([22_500]));
});

test.each([
  ['60', 60_000],
  ['99999999999', 600_000],
])('a server that is busy for %s s is looked for after %d ms', async (seconds, pause) => {
  const { server, clock, state, pauses, begun } = await withoutSession(() => ({
    status: 503,
    headers: { 'retry-after': seconds },
  }));
  expect(await pauses()).toBe(pause);
  state.isAway = false;
  clock.advance(pause);
  await begun;
  expect(server.arrived.filter(isInitialize)).toHaveLength(2);
});

test('a server that loses each session at once gets a new one ever more rarely', async () => {
  const { server, clock, pauses } = await withoutSession(sessions().keep(() => ({ status: 404 })));
  for (const [nth, pause] of [750, 1_500, 3_000].entries()) {
    expect(await pauses()).toBe(pause);
    clock.advance(pause);
    await server.waitFor(isInitialize, nth + 2);
  }
  expect(await pauses()).toBe(6_000);
});

// regression: a 404 was taken for the end of the session, and one session after the other was begun without a pause
test.each([404, 405])('a server that answers %d for want of an event stream is asked once', async (status) => {
  const { keep } = sessions();
  const refuse: Others = (_request, response) => void response.writeHead(status).end();
  const { upstream, client } = await line(
    keep(() => undefined),
    refuse,
  );
  await client.request('x/begin');
  await upstream.waitForOther(({ method }) => method === 'GET');
  if (status === 404) await upstream.waitFor(({ json }) => json.method === 'ping');
  for (let round = 0; round < 20; round += 1) await client.request('x/again');
  expect(upstream.arrived.filter(isInitialize)).toHaveLength(1);
  expect(upstream.others).toHaveLength(1);
});

test('a server that refuses is not looked for', async () => {
  const { clock, server } = await withoutSession(() => ({ status: 400 }));
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(3_600_000);
  await fetch(server.url);
  expect(server.arrived.filter(isInitialize)).toHaveLength(1);
});

test('after a restart that takes a while an idle client hears of changes again', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  await client.request('tools/list');
  await upstream.waitFor(eventStream);
  upstream.faults.next('mcp', { kind: 'status', status: 502 }, { when: { rpc: 'initialize' }, times: 2 });
  await upstream.restart();
  await upstream.waitFor(eventStream, { nth: 2 });
  await upstream.releaseToolList(2);
  await client.receive(listChanged);
  expect(upstream.sessions).toHaveLength(1);
});

// regression: a client that got an error for its only tools/list had no tools until it was restarted
test('a client whose list could not be had hears of the first that comes', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  const isClients = ({ rpc, json }: RequestEntry) => rpc === 'tools/list' && (json as { id?: unknown }).id === 'only';
  const isOurs = (entry: RequestEntry) => entry.rpc === 'tools/list' && !isClients(entry);
  const ahead = upstream.faults.hold('mcp', { when: isOurs });
  upstream.faults.next('mcp', { kind: 'status', status: 403 }, { when: isClients });
  expect(await client.request('tools/list', {}, 'only')).toMatchObject({
    error: { data: { code: 'UPSTREAM_REFUSED' } },
  });
  await ahead.arrived;
  ahead.release();
  await client.receive(listChanged);
  expect((await client.request('tools/list')).result.tools.length).toBeGreaterThan(5);
});

test('a bridge that starts offline connects by itself once the server is there, and tells of its tools', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const login = await runCommand(home, ['login', '--url', upstream.url]).ended;
  expect(login, login.stderr).toMatchObject({ code: 0 });
  await upstream.stop();
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  // Nothing is cached for a client that was not there before.
  expect(await client.request('tools/list')).toMatchObject({ error: { data: { code: 'UPSTREAM_UNREACHABLE' } } });
  await upstream.start();
  await client.receive(listChanged);
  expect((await client.request('tools/list')).result.tools.length).toBeGreaterThan(5);
  expect(home.browser.tabs).toHaveLength(1);
}, 120_000);
