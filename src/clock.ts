import { performance } from 'node:perf_hooks';

/** Time, as a parameter. Milliseconds everywhere. */
export interface Clock {
  /** Wall-clock time since the epoch; it may step in both directions. */
  now(): number;
  /** Time that never goes back; for measuring gaps. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when `signal` aborts; never rejects. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      timer.unref();
      signal?.addEventListener('abort', done);
    }),
};

/** A signal that aborts after `ms`, or with any of `signals`; call `release` when it is no longer needed. */
export interface Deadline {
  readonly signal: AbortSignal;
  release(): void;
}

export function createDeadline(clock: Clock, ms: number, ...signals: (AbortSignal | undefined)[]): Deadline {
  const controller = new AbortController();
  const released = new AbortController();
  const abort = () => controller.abort();
  for (const signal of signals) {
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { signal: released.signal });
  }
  void clock.sleep(ms, released.signal).then(() => {
    if (!released.signal.aborted) abort();
  });
  return { signal: controller.signal, release: () => released.abort() };
}

const lastChance = 1_000;
const onTime = 250;
const mostChances = 30;

/**
 * A deadline of `ms` that leaves a process that stood still the time to read what came meanwhile. After SIGSTOP or sleep
 * Node.js runs the timers that are due before it looks at its sockets: an ordinary deadline would throw away an answer
 * that is there (P4).
 */
export function createPatientDeadline(clock: Clock, ms: number): Deadline {
  const controller = new AbortController();
  const released = new AbortController();
  const wait = async () => {
    await clock.sleep(ms, released.signal);
    for (let late = true, left = mostChances; late && left > 0 && !released.signal.aborted; left -= 1) {
      const began = clock.monotonic();
      await clock.sleep(lastChance, released.signal);
      late = clock.monotonic() - began > lastChance + onTime;
    }
    if (!released.signal.aborted) controller.abort();
  };
  void wait();
  return { signal: controller.signal, release: () => released.abort() };
}

/** Resolves with the promise's value, or with `undefined` once the signal aborts. The promise goes on. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (!signal) return promise;
  if (signal.aborted) {
    promise.catch(() => undefined);
    return Promise.resolve(undefined);
  }
  return new Promise((resolve, reject) => {
    const aborted = () => resolve(undefined);
    signal.addEventListener('abort', aborted, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted));
  });
}

/** Exponential back-off with full jitter in its upper half. `attempt` counts from 0; the result is in ms. */
export function backOff(attempt: number, random: () => number, base = 500, most = 30_000): number {
  const ceiling = Math.min(most, base * 2 ** attempt);
  return ceiling / 2 + (ceiling / 2) * random();
}

/** A server that was away is found this soon after it is back, ms, by whoever still waits within a bound of 30 s (P7). */
export const longestAbsence = 4_000;
