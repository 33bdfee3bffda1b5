import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import type { Lock } from '../../src/credentials/lock.ts';
import { clockInTest, type TestClock } from './clock.ts';
import type { LockVerbs } from './lock-process.ts';
import type { OtherProcess } from './spawn-process.ts';

/** One lock, with what it guards: a number that starts at 0. */
export interface ContendedLock {
  /** The lock as this process sees it. */
  lock(clock: Clock): Lock;
  /** Another process that sees the same lock. */
  process(): Promise<Pick<OtherProcess<LockVerbs>, 'ask' | 'stop' | 'resume' | 'kill'>>;
  guarded(): Promise<number>;
  /** Resolves with the next sign of life of whoever holds it. */
  heartbeat(): Promise<void>;
}

const lookGap = 250;
const staleAfter = 5_000;

/** What every lock has to do, whatever it is made of (product.md 5). `open` gives a new lock in each test. */
export function describeLock(name: string, open: () => Promise<ContendedLock>): void {
  /** Another process holds it; here somebody waits whose looks the test paces. */
  const contended = async () => {
    const contention = await open();
    const holder = await contention.process();
    await holder.ask('acquire');
    return { ...contention, holder };
  };

  describe(name, () => {
    test('processes that contend exclude each other', async () => {
      const contention = await open();
      const processes = await Promise.all([1, 2, 3, 4].map(() => contention.process()));
      await Promise.all(processes.map((other) => other.ask('add', 25)));
      expect(await contention.guarded()).toBe(100);
    });

    test('a release lets the next one in, and not earlier', async () => {
      const { lock, holder } = await contended();
      const waiter = startWaiting(lock);
      await waiter.look();
      expect(waiter.held()).toBe(false);
      await holder.ask('release');
      expect(await holder.ask('isHeld')).toBe(false);
      const held = await waiter.acquired();
      expect(held.isHeld()).toBe(true);
      await held.release();
    });

    test('a holder that was killed loses it at once', async () => {
      const { lock, holder } = await contended();
      const waiter = startWaiting(lock);
      await waiter.look();
      await holder.kill();
      // One look: far from the looks of 5 s.
      await (await waiter.acquired()).release();
      expect(waiter.waited()).toBeLessThanOrEqual(2 * lookGap);
    });

    test('a live holder keeps it, however long the waiter looks', async () => {
      const { lock, holder, heartbeat } = await contended();
      const waiter = startWaiting(lock);
      for (let beats = 0; beats < 2; beats += 1) {
        await waiter.lookFor(staleAfter - lookGap);
        await heartbeat();
      }
      await waiter.look();
      expect(waiter.held()).toBe(false);
      expect(await holder.ask('isHeld')).toBe(true);
      await holder.ask('release');
      await (await waiter.acquired()).release();
    });

    test('a stopped holder loses it after 5 s of looks, notices, and cannot remove the lock of the thief', async () => {
      const { lock, holder } = await contended();
      await holder.stop();
      const waiter = startWaiting(lock);
      await waiter.lookFor(staleAfter - lookGap);
      expect(waiter.held()).toBe(false);
      const held = await waiter.acquired();
      expect(waiter.waited()).toBeGreaterThan(staleAfter);
      holder.resume();
      expect(await holder.ask('isHeld')).toBe(false);
      await holder.ask('release');
      expect(held.isHeld()).toBe(true);
      const next = startWaiting(lock);
      await next.look();
      expect(next.held()).toBe(false);
      await held.release();
      await (await next.acquired()).release();
    });

    test('a waiter that stood still itself begins to count again', async () => {
      const { lock, holder } = await contended();
      await holder.stop();
      const waiter = startWaiting(lock);
      await waiter.lookFor(staleAfter - lookGap);
      await waiter.look(60_000);
      expect(waiter.held()).toBe(false);
      await waiter.lookFor(staleAfter - lookGap);
      expect(waiter.held()).toBe(false);
      await (await waiter.acquired()).release();
    });

    test('of two thieves one gets it', async () => {
      const { lock, holder } = await contended();
      await holder.stop();
      const thieves = [startWaiting(lock), startWaiting(lock)];
      await Promise.all(thieves.map((thief) => thief.lookFor(staleAfter - lookGap)));
      const [first, second] = await inOrder(thieves);
      await second.look();
      expect(second.held()).toBe(false);
      await (await first.acquired()).release();
      await (await second.acquired()).release();
    });

    test('thieves in processes of their own exclude each other', async () => {
      const contention = await contended();
      const thieves = await Promise.all([1, 2, 3].map(() => contention.process()));
      const added = thieves.map((thief) => thief.ask('add', 10));
      await contention.holder.kill();
      await Promise.all(added);
      expect(await contention.guarded()).toBe(30);
    });

    test('whoever gives up waiting learns that the record is locked', async () => {
      const { lock, holder } = await contended();
      const giveUp = new AbortController();
      const waiter = startWaiting(lock, giveUp.signal);
      await waiter.look();
      giveUp.abort();
      await expect(waiter.acquired()).rejects.toMatchObject({ code: 'CREDENTIALS_LOCKED' });
      expect(await holder.ask('isHeld')).toBe(true);
    });

    test('nobody waits for ever', async () => {
      const { lock } = await contended();
      const waiter = startWaiting(lock);
      await waiter.look(90_001);
      await expect(waiter.acquired()).rejects.toMatchObject({ code: 'CREDENTIALS_LOCKED' });
    });
  });
}

/** Somebody in this process who waits for the lock, with a clock that moves only from look to look. */
function startWaiting(lock: (clock: Clock) => Lock, signal?: AbortSignal) {
  const clock: TestClock = clockInTest();
  const began = clock.monotonic();
  let held = false;
  const acquiring = lock(clock)
    .acquire(signal)
    .finally(() => {
      held = true;
    });
  acquiring.catch(() => {});
  const look = async (after = lookGap) => {
    await clock.untilSleeps(lookGap, acquiring);
    clock.advance(after);
    await clock.untilSleeps(lookGap, acquiring);
  };
  return {
    look,
    held: () => held,
    waited: () => clock.monotonic() - began,
    lookFor: async (ms: number) => {
      for (let waited = 0; waited < ms && !held; waited += lookGap) await look();
    },
    acquired: async () => {
      for (let looks = 0; !held && looks < 1_000; looks += 1) await look();
      if (!held) throw new Error('a thousand looks did not end the waiting');
      return acquiring;
    },
  };
}

async function inOrder(waiters: ReturnType<typeof startWaiting>[]) {
  while (!waiters.some((waiter) => waiter.held())) await Promise.all(waiters.map((waiter) => waiter.look()));
  const [first, second] = [...waiters].sort((one, other) => Number(other.held()) - Number(one.held()));
  if (!first || !second) throw new Error('two waiters were expected');
  return [first, second] as const;
}
