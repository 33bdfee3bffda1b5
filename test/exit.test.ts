import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createLock } from '../src/credentials/lock.ts';
import { codeExchange, refresh } from './support/opened-tab.ts';
import { spawnRaw } from './support/raw-client.ts';
import { type RunningCommand, runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { expireTokens, recordPath } from './support/stored-record.ts';
import { approve } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

/** A test that hangs has failed long before the bounds of the bridge (10 s and more) would let it pass. */
const promptly = 9_000;

/** The built bridge on bare pipes, and the few messages that these stories need. */
function start(home: Home, upstream: Upstream) {
  const bridge = runCommand(home, ['--url', upstream.url]);
  const say = (message: object) => bridge.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const ping = async () => {
    say({ id: 'p', method: 'ping' });
    await bridge.shows(/"id":"p"/);
  };
  const initialize = async () => {
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    say({ id: 'i', method: 'initialize', params });
    await bridge.shows(/"id":"i"/);
    say({ method: 'notifications/initialized' });
    await ping();
  };
  const call = () =>
    say({ id: 'c', method: 'tools/call', params: { name: 'notion-search', arguments: { query: 'x' } } });
  return { bridge, ping, initialize, call };
}

async function signedIn() {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  return { upstream, home };
}

/** Connected, with its event stream open. */
async function connected(home: Home, upstream: Upstream) {
  const started = start(home, upstream);
  const streams = upstream.count({ endpoint: 'mcp', method: 'GET' });
  await started.initialize();
  await upstream.waitFor({ endpoint: 'mcp', method: 'GET', status: 200 }, { nth: streams + 1 });
  await started.ping();
  return started;
}

/** Whatever runs with this home, by its environment. */
async function processesOf(home: Home): Promise<string[]> {
  if (!existsSync('/proc/self/environ')) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return pids.filter((_pid, index) => environments[index]?.includes(`HOME=${home.path}\0`));
}

async function expectGone(bridge: RunningCommand, home: Home) {
  expect(await bridge.ended).toMatchObject({ code: 0, signal: null });
  // whatever it started, too: the opener of a tab may still be at it
  await expect.poll(() => processesOf(home), { timeout: promptly / 2 }).toEqual([]);
}

const ways = {
  'the end of its input': (bridge: RunningCommand) => bridge.endInput(),
  SIGTERM: (bridge: RunningCommand) => bridge.kill('SIGTERM'),
  SIGINT: (bridge: RunningCommand) => bridge.kill('SIGINT'),
  SIGHUP: (bridge: RunningCommand) => bridge.kill('SIGHUP'),
};

describe.each(Object.entries(ways))('the bridge exits by itself on %s', { timeout: promptly }, (_way, leave) => {
  test('before anybody spoke MCP, and when nobody is signed in', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest();
    for (const state of ['ping', 'initialize'] as const) {
      const started = start(home, upstream);
      await started[state]();
      leave(started.bridge);
      await expectGone(started.bridge, home);
    }
    expect(upstream.requests).toEqual([]);
  });

  test('while a call waits for the person, whose tab stays good', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest('ignores');
    const { bridge, initialize, call } = start(home, upstream);
    await initialize();
    call();
    await home.browser.tab(1);
    leave(bridge);
    await expectGone(bridge, home);
    expect((await home.record())?.pendingSignIn?.prepared).toBeDefined();
  });

  test('while it is connected, and while a call is under way, ending its session', async () => {
    const { upstream, home } = await signedIn();
    const idle = await connected(home, upstream);
    leave(idle.bridge);
    await expectGone(idle.bridge, home);
    expect(upstream.sessions).toEqual([]);

    const busy = await connected(home, upstream);
    const gate = upstream.faults.hold('mcp', { when: { tool: 'notion-search' } });
    busy.call();
    await gate.arrived;
    leave(busy.bridge);
    await expectGone(busy.bridge, home);
    expect(upstream.sessions).toEqual([]);
    // login ended one, too
    expect(upstream.count({ method: 'DELETE', status: 200 })).toBe(3);
  });

  test('while a refresh is under way, but not before its answer is stored', async () => {
    const { upstream, home } = await signedIn();
    const { bridge, call } = await connected(home, upstream);
    await expireTokens(home);
    const gate = upstream.faults.hold('token', { when: refresh, handled: true });
    call();
    await gate.arrived;
    leave(bridge);
    await expectStillThere(bridge);
    gate.release();
    await expectGone(bridge, home);
    const record = await home.record();
    expect(record).toMatchObject({ state: 'connected', generation: 2 });
    expect(record).not.toHaveProperty('refreshUnderWay');
  });

  test('while a code is redeemed, but not before the tokens are stored and the page is shown', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest('ignores');
    const { bridge, initialize, call } = start(home, upstream);
    await initialize();
    call();
    const { url } = await home.browser.tab(1);
    const gate = upstream.faults.hold('token', { when: codeExchange, handled: true });
    const page = approve(url);
    await gate.arrived;
    leave(bridge);
    // longer than it waits for the browser to fetch its page
    await expectStillThere(bridge, 1_300);
    gate.release();
    expect((await page).body).toContain('Connected');
    await expectGone(bridge, home);
    expect(await home.record()).toMatchObject({ state: 'connected', generation: 1 });
  });
});

/** Nothing tells that a process goes on waiting: it is given more time than it may take to exit (product.md 4). */
async function expectStillThere({ ended }: RunningCommand, ms = 700) {
  expect(await Promise.race([ended, sleep(ms, 'still there')])).toBe('still there');
}

test.each(['the end of its input', 'SIGTERM'] as const)(
  'the bridge exits on %s although nobody reads its output',
  { timeout: promptly },
  async (way) => {
    const upstream = await upstreamInTest({ auth: false, testTools: true });
    const home = await homeInTest();
    const client = spawnRaw({ home, url: upstream.url });
    await client.hello();
    await client.request('tools/list');
    client.pause();
    client.send({ id: 'big', method: 'tools/call', params: { name: 'big', arguments: { bytes: 2_000_000 } } });
    await upstream.waitFor({ tool: 'big', status: 200 });
    if (way === 'SIGTERM') client.kill(way);
    else client.endInput();
    await expect.poll(() => processesOf(home), { timeout: promptly }).toEqual([]);
  },
);

test('the bridge exits when its input ends before it was asked anything', { timeout: promptly }, async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const { bridge } = start(home, upstream);
  bridge.endInput();
  await expectGone(bridge, home);
});

describe('what was not sent is not waited for at the exit', { timeout: promptly }, () => {
  test('a refresh that waits for the lock', async () => {
    const { upstream, home } = await signedIn();
    await expireTokens(home);
    const held = await createLock(`${await recordPath(home)}.lock`, systemClock).acquire();
    const { bridge, initialize, call, ping } = start(home, upstream);
    await initialize();
    call();
    await ping();
    bridge.endInput();
    await expectGone(bridge, home);
    await held.release();
    expect(upstream.count(refresh)).toBe(0);
  });

  test('a refresh for nothing but the end of the session', async () => {
    const { upstream, home } = await signedIn();
    const { bridge } = await connected(home, upstream);
    await expireTokens(home);
    bridge.endInput();
    await expectGone(bridge, home);
    expect(upstream.count(refresh)).toBe(0);
    expect(await home.record()).toMatchObject({ generation: 1 });
  });
});
