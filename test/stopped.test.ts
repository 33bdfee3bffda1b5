import { expect, test } from 'vitest';
import { refresh, search } from './support/opened-tab.ts';
import { homeInTest, type SpawnedBridge, spawnBridge } from './support/spawn-bridge.ts';
import { expireTokens, waitForRecord } from './support/stored-record.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// Sleep and SIGSTOP in the middle of a refresh (product.md 5, 6.2): the lock may be lost, the answer may not.

const good = { isError: false };

/** Three bridges on one expired token; the token endpoint has the request of the first, and has rotated, but not answered. */
async function refreshUnderWay(mode: 'lenient' | 'strict') {
  const upstream = await upstreamInTest({ mode });
  const home = await homeInTest();
  const sender = await spawnBridge({ home, url: upstream.url });
  expect(await search(sender)).toMatchObject(good);
  await expireTokens(home);
  const gate = upstream.faults.hold('token', { when: refresh, handled: true });
  const call = search(sender);
  await gate.arrived;
  const { refreshUnderWay: mark } = await waitForRecord(home, (record) => record.refreshUnderWay !== undefined);
  expect(mark?.owner.pid).toBe(sender.pid);
  // Not earlier: one that still connects would refresh for itself.
  const others = await Promise.all([1, 2].map(() => spawnBridge({ home, url: upstream.url })));
  /** Resolves once another process has taken the lock away from the one that sent the refresh. */
  const robbed = () =>
    expect
      .poll(() => home.files(), { timeout: 30_000, interval: 100 })
      .toContainEqual(expect.stringContaining(`.lock.grave-${mark?.owner.nonce}`));
  return { upstream, home, sender, others, gate, call, robbed };
}

const signal = (bridges: SpawnedBridge[], name: NodeJS.Signals) => {
  for (const { pid } of bridges) process.kill(pid, name);
};

test.each(['lenient', 'strict'] as const)(
  'a bridge that is stopped in the middle of a refresh loses its lock, and not its answer, at a %s server',
  async (mode) => {
    const { upstream, home, sender, others, gate, call, robbed } = await refreshUnderWay(mode);
    signal([sender], 'SIGSTOP');
    gate.release();
    const calls = others.map(search);
    await robbed();
    signal([sender], 'SIGCONT');
    for (const answer of await Promise.all([call, ...calls])) expect(answer).toMatchObject(good);
    expect(upstream.count(refresh)).toBe(1);
    expect(await home.record()).toMatchObject({ state: 'connected', generation: 2 });
    expect(home.browser.tabs).toHaveLength(1);
  },
);

test('a machine that sleeps in the middle of a refresh wakes to one refresh', async () => {
  const { upstream, home, sender, others, gate, call } = await refreshUnderWay('strict');
  const calls = others.map(search);
  signal([sender, ...others], 'SIGSTOP');
  gate.release();
  // Longer than the 5 s after which a lock without a heartbeat is stale: what is tested is that time alone.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  signal([...others, sender], 'SIGCONT');
  for (const answer of await Promise.all([call, ...calls])) expect(answer).toMatchObject(good);
  expect(upstream.count(refresh)).toBe(1);
  expect(await home.record()).toMatchObject({ state: 'connected', generation: 2 });
  expect(home.browser.tabs).toHaveLength(1);
});
