import type { Clock } from './clock.ts';
import { expectedEnd } from './credentials/record.ts';
import type { Store } from './credentials/store.ts';
import { describe } from './errors.ts';
import type { Log } from './log.ts';
import type { TokenSource } from './token-source.ts';

export interface UpkeepOptions {
  store: Store;
  tokens: TokenSource;
  clock: Clock;
  log: Log;
  /** Did the client ask for something lately? */
  isInUse(): boolean;
}

const minute = 60_000;
const day = 24 * 60 * minute;
/** A tick that comes this late means that the machine slept; no refresh within this long of waking (product.md 6.3). */
const wakingTime = 30_000;

/** Looks after the grant once a minute, until `over` aborts: refreshes ahead, and warns before it ends by age. */
export async function keepUp({ store, tokens, clock, log, isInUse }: UpkeepOptions, over: AbortSignal): Promise<void> {
  let warnedOf: number | undefined;
  let wokeAt = Number.NEGATIVE_INFINITY;
  let lastTick = clock.now();

  const warnOfEnd = async () => {
    const end = expectedEnd(await store.load(), clock.now());
    if (end === undefined || warnedOf === end || end - clock.now() > day) return;
    warnedOf = end;
    log.warn('the grant will probably end soon; `login --force` renews it', { expected: new Date(end).toISOString() });
  };

  while (!over.aborted) {
    await clock.sleep(minute, over);
    if (Math.abs(clock.now() - lastTick - minute) > wakingTime) wokeAt = clock.now();
    lastTick = clock.now();
    if (over.aborted || clock.now() - wokeAt < wakingTime) continue;
    try {
      await warnOfEnd();
      await tokens.maintain(isInUse());
    } catch (error) {
      log.warn('could not look after the grant', { why: describe(error) });
    }
  }
}
