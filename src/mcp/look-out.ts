import { backOff, type Clock } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import type { Delivery } from './exchange.ts';
import type { Session } from './session.ts';

interface LookOutOptions {
  clock: Clock;
  random: () => number;
  /** Tries once to have a session. */
  connect(): Promise<unknown>;
  /** There is nobody to look for: a session stands, or none is wanted. */
  isIdle(): boolean;
  /** Aborts for good. */
  over: AbortSignal;
}

/**
 * Looks for a server that was away, or that lost the session, until there is one again: a client that asks for nothing
 * meanwhile gets its lists and its event stream all the same (P7).
 */
export interface LookOut {
  /** Sees what comes of an attempt to open a session, and passes it on. */
  watch(opening: Promise<Session | Delivery>): Promise<Session | Delivery>;
  /** The session is over. */
  lost(): void;
}

const passing = new Set(['not-sent', 'busy', 'session-gone']);
const firstDelay = 1_000;
const longestDelay = 600_000;
/** A session that lasted this long, ms, was worth beginning. */
const worthwhile = 30_000;

export function createLookOut({ clock, random, connect, isIdle, over }: LookOutOptions): LookOut {
  let isMissed = false;
  /** Attempts, and sessions that were over at once, in a row. */
  let failures = 0;
  /** When the session that stands, or stood, was begun; monotonic time. */
  let begunAt: number | undefined;
  let asked = 0;
  let isLooking = false;

  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    while (isMissed && !isIdle() && !over.aborted) {
      const pause = failures === 0 ? 0 : backOff(failures - 1, random, firstDelay);
      await clock.sleep(Math.max(asked, pause), over);
      if (isMissed && !isIdle() && !over.aborted) await connect().catch(() => undefined);
    }
    isLooking = false;
  };

  const miss = () => {
    const lasted = begunAt === undefined ? 0 : clock.monotonic() - begunAt;
    failures = lasted >= worthwhile ? 0 : failures + 1;
    begunAt = undefined;
    isMissed = true;
    void look();
  };

  const watch: LookOut['watch'] = async (opening) => {
    isMissed = false;
    asked = 0;
    try {
      const link = await opening;
      if (!('kind' in link)) begunAt = clock.monotonic();
      if ('kind' in link && link.kind === 'busy') asked = Math.min(link.retryAfter ?? 0, longestDelay);
      if ('kind' in link && passing.has(link.kind)) miss();
      return link;
    } catch (error) {
      // A sign-in is told by the record.
      if (!(error instanceof BridgeError && error.code === 'REAUTH_REQUIRED')) miss();
      throw error;
    }
  };

  return { watch, lost: miss };
}
