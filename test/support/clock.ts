import { expect, onTestFinished } from 'vitest';
import type { Clock } from '../../src/clock.ts';

/** Time that passes only when the test says so. */
export interface TestClock extends Clock {
  /** Both times pass, and whoever sleeps no longer than that wakes up. */
  advance(ms: number): void;
  /** Somebody sets the wall clock, in either direction; nobody wakes up. */
  step(ms: number): void;
  /**
   * Resolves with the length once somebody sleeps who asked for at most that long, or for what fits; at once if somebody
   * does already. With `or`, also when that settles first.
   */
  untilSleeps(wanted: number | ((ms: number) => boolean), or?: Promise<unknown>): Promise<number | undefined>;
}

interface Sleeper {
  length: number;
  until: number;
  wake(): void;
}

/** A clock that starts at the present, and fails the test when somebody still sleeps, or is waited for, at its end. */
export function clockInTest(): TestClock {
  const clock = createTestClock();
  onTestFinished(() => expect(clock.open()).toEqual([]));
  return clock;
}

function createTestClock(): TestClock & { open(): string[] } {
  let wall = Date.now();
  let monotonic = 1_000;
  const sleepers = new Set<Sleeper>();
  const waits = new Set<{ fits: (ms: number) => boolean; resolve: (length?: number) => void }>();
  const settle = () => {
    for (const wait of waits) {
      const sleeper = [...sleepers].find(({ length }) => wait.fits(length));
      if (!sleeper) continue;
      waits.delete(wait);
      wait.resolve(sleeper.length);
    }
  };
  const sleep: Clock['sleep'] = (ms, signal) => {
    if (Number.isNaN(ms)) throw new RangeError('could not sleep for NaN ms');
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { length: ms, until: monotonic + ms, wake };
      sleepers.add(sleeper);
      signal?.addEventListener('abort', wake);
      settle();
    });
  };
  return {
    now: () => wall,
    monotonic: () => monotonic,
    sleep,
    advance: (ms) => {
      if (!(ms >= 0)) throw new RangeError(`could not advance the clock by ${ms} ms`);
      wall += ms;
      monotonic += ms;
      for (const sleeper of [...sleepers].filter(({ until }) => until <= monotonic)) sleeper.wake();
    },
    step: (ms) => {
      if (!Number.isFinite(ms)) throw new RangeError(`could not set the clock by ${ms} ms`);
      wall += ms;
    },
    untilSleeps: (wanted, or) =>
      new Promise((resolve) => {
        const fits = typeof wanted === 'number' ? (ms: number) => ms <= wanted : wanted;
        const wait = { fits, resolve };
        const forget = () => {
          waits.delete(wait);
          resolve(undefined);
        };
        waits.add(wait);
        or?.then(forget, forget);
        settle();
      }),
    open: () => [
      ...[...sleepers].map(({ length }) => `somebody sleeps for ${length} ms`),
      ...[...waits].map(({ fits }) => `nobody slept as was waited for: ${fits}`),
    ],
  };
}
