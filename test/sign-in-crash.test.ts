import { expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createLock } from '../src/credentials/lock.ts';
import { openedTab, search } from './support/opened-tab.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { changeRecord, pendingSignIn, recordPath, waitForRecord } from './support/stored-record.ts';
import { approve, approveUnfollowed, follow } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

async function openedTabBesideAnother() {
  const opened = await openedTab();
  return { ...opened, successor: await spawnBridge({ home: opened.home, url: opened.upstream.url }) };
}

test('a sign-in whose only process is killed is finished by the next one that is spawned', async () => {
  const { upstream, home, bridge, url, successor } = await openedTabBesideAnother();
  await successor.close();
  process.kill(bridge.pid, 'SIGKILL');
  const next = await spawnBridge({ home, url: upstream.url });
  await waitForRecord(home, ({ pendingSignIn: now }) => now?.owner.pid === next.pid);
  expect((await approve(url)).body).toContain('Connected');
  expect(await search(next)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('a redirect that arrives while the sign-in changes hands is not turned away', async () => {
  // The successor has bound the port, and waits for the lock to write its claim: the redirect waits with it.
  const { home, bridge, url, successor } = await openedTabBesideAnother();
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
  expect(await search(successor)).toMatchObject({ isError: false });
});

test('a process that is killed before the tab opened leaves the sign-in to another, which opens the one tab', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const gate = upstream.faults.hold('register');
  const bridge = await spawnBridge({ home, url: upstream.url });
  const call = search(bridge).catch(() => undefined);
  await gate.arrived;
  process.kill(bridge.pid, 'SIGKILL');
  await call;
  gate.release();
  const successor = await spawnBridge({ home, url: upstream.url });
  expect(await search(successor)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
  // the one that died, and one more: the successor's call and its watch over the sign-in do not both begin anew
  expect(upstream.count({ endpoint: 'register' })).toBe(2);
});

test('a process that was taken for dead while it prepared the sign-in goes on with the one that another prepared', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const gate = upstream.faults.hold('register');
  const slow = await spawnBridge({ home, url: upstream.url });
  const call = search(slow);
  await gate.arrived;
  await changeRecord(home, ({ pendingSignIn: pending }) => {
    if (pending) pending.since -= 121_000;
  });
  const other = await spawnBridge({ home, url: upstream.url });
  const lost = search(other).catch(() => 'the process was killed');
  const taken = await waitForRecord(home, ({ pendingSignIn: now }) => now?.prepared !== undefined);
  // It has its own two minutes, or every process would take it from the other at each look.
  expect(Date.now() - Number(taken.pendingSignIn?.since)).toBeLessThan(60_000);
  const { url } = await home.browser.tab(1);
  gate.release();
  await upstream.waitFor({ endpoint: 'register' }, { nth: 2 });
  process.kill(other.pid, 'SIGKILL');
  expect(await lost).toBe('the process was killed');
  await waitForRecord(home, ({ pendingSignIn: now }) => now?.owner.pid === slow.pid);
  expect((await approve(url)).body).toContain('Connected');
  expect(await call).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
});
