import { expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createLock } from '../src/credentials/lock.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { pendingSignIn, recordPath, waitForRecord } from './support/stored-record.ts';
import { approve, approveUnfollowed, follow } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const exchange = { endpoint: 'token', grantType: 'authorization_code' } as const;

/** A bridge whose call has opened a tab, which the person has not acted on yet, and a second bridge beside it. */
async function openedTab() {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const bridge = await spawnBridge({ home, url: upstream.url });
  // The client goes down with its bridge.
  const call = bridge.call('notion-search', { query: 'roadmap' }).catch(() => undefined);
  const { url } = await home.browser.tab(1);
  const successor = await spawnBridge({ home, url: upstream.url });
  return { upstream, home, bridge, call, url, successor };
}

test('a sign-in whose process is killed is finished in the same tab by another process', async () => {
  const { upstream, home, bridge, call, url, successor } = await openedTab();
  const before = await pendingSignIn(home);
  process.kill(bridge.pid, 'SIGKILL');
  await call;
  await waitForRecord(home, ({ pendingSignIn: now }) => now !== undefined && now.owner.pid === successor.pid);
  const after = await pendingSignIn(home);
  expect(after.id).toBe(before.id);
  expect(after.prepared).toEqual(before.prepared);

  const waiting = successor.call('notion-search', { query: 'roadmap' });
  expect((await approve(url)).body).toContain('Connected');
  expect(await waiting).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
  expect(upstream.count(exchange)).toBe(1);
});

test('a sign-in whose only process is killed is finished by the next one that is spawned', async () => {
  const { upstream, home, bridge, url, successor } = await openedTab();
  await successor.close();
  process.kill(bridge.pid, 'SIGKILL');
  const next = await spawnBridge({ home, url: upstream.url });
  await waitForRecord(home, ({ pendingSignIn: now }) => now?.owner.pid === next.pid);
  expect((await approve(url)).body).toContain('Connected');
  expect(await next.call('notion-search', { query: 'roadmap' })).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('a redirect that arrives while the sign-in changes hands is not turned away', async () => {
  // The successor has bound the port, and waits for the lock to write its claim: the redirect waits with it.
  const { home, bridge, url, successor } = await openedTab();
  const { id, prepared } = await pendingSignIn(home);
  const callback = await approveUnfollowed(url);
  const lock = createLock(`${await recordPath(home)}.lock`, systemClock);
  const held = await lock.acquire();
  process.kill(bridge.pid, 'SIGKILL');
  const probe = `http://127.0.0.1:${prepared?.port}/sign-in/${id}`;
  await expect
    .poll(
      () =>
        fetch(probe).then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 20_000 },
    )
    .toBe(204);
  const page = follow(callback);
  await held.release();
  expect((await page).body).toContain('Connected');
  expect(await successor.call('notion-search', { query: 'roadmap' })).toMatchObject({ isError: false });
});

test.each([
  { when: 'before the server has seen it', handled: false },
  { when: 'after the server has handled it', handled: true },
])('a code whose redemption is cut by a crash $when is not redeemed again', async ({ handled }) => {
  const { upstream, home, bridge, url, successor } = await openedTab();
  const callback = await approveUnfollowed(url);
  const gate = upstream.faults.hold('token', { when: exchange, handled });
  const tab = follow(callback).catch(() => 'the connection was cut');
  await gate.arrived;
  expect((await pendingSignIn(home)).redeeming).toBeDefined();
  process.kill(bridge.pid, 'SIGKILL');
  expect(await tab).toBe('the connection was cut');
  gate.release();
  await waitForRecord(home, ({ pendingSignIn: now }) => now?.owner.pid === successor.pid);

  // reloading the tab leads to a fresh request, which the person approves
  const reloaded = await follow(callback);
  expect(reloaded.location).toMatch(`${upstream.origin}/authorize`);
  expect(new URL(reloaded.location).searchParams.get('state')).not.toBe(new URL(url).searchParams.get('state'));
  expect(upstream.count(exchange)).toBe(1);
  expect((await approve(reloaded.location)).body).toContain('Connected');
  expect(await successor.call('notion-search', { query: 'roadmap' })).toMatchObject({ isError: false });
  expect(upstream.count(exchange)).toBe(2);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
  expect(home.browser.tabs).toHaveLength(1);
});

test('a process that is killed before the tab opened leaves the sign-in to another, which opens the one tab', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const gate = upstream.faults.hold('register');
  const bridge = await spawnBridge({ home, url: upstream.url });
  const call = bridge.call('notion-search', { query: 'roadmap' }).catch(() => undefined);
  await gate.arrived;
  process.kill(bridge.pid, 'SIGKILL');
  await call;
  gate.release();
  const successor = await spawnBridge({ home, url: upstream.url });
  expect(await successor.call('notion-search', { query: 'roadmap' })).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
});
