import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { firstModern, isModernRevision } from './eras.ts';
import type { ListCache } from './list-cache.ts';
import type { EraVerdict } from './stateless-upstream.ts';

interface UpstreamEraOptions {
  cache: ListCache;
  clock: Clock;
  log: Log;
  /** `--protocol` */
  told: string | undefined;
}

/** Which era upstream speaks: learnt from itself, or told by the user. */
export interface UpstreamEra {
  /** Does it speak revision 2026-07-28 or a later one? Undefined when nobody knows. */
  isModern(): boolean | undefined;
  /** What it answered to `server/discover`. */
  discovered(): Record<string, unknown> | undefined;
  /** The modern revision to speak of before it has been asked. */
  readonly revision: string;
  /** Resolves once it is noted. */
  learn(verdict: EraVerdict): Promise<void>;
  /** True once in a while: it should be asked. */
  isDue(): boolean;
}

/** How long a server that speaks only the old era is not asked again, ms. */
const settled = 24 * 3_600_000;
/** And one that gave no answer to go by. */
const pause = 3_600_000;

export function createUpstreamEra({ cache, clock, log, told }: UpstreamEraOptions): UpstreamEra {
  let askedAt: number | undefined;
  const isForbidden = told !== undefined && !isModernRevision(told);

  const isSettled = () => {
    const known = cache.discovery();
    return known !== undefined && Math.abs(clock.now() - known.askedAt) < settled;
  };

  const isModern = () => {
    if (isForbidden) return false;
    if (cache.discovery()?.result) return true;
    if (isSettled()) return false;
    return told === undefined ? undefined : true;
  };

  const learn = async (verdict: EraVerdict) => {
    if (verdict === undefined) return;
    const isNew = isModern() !== (verdict !== 'legacy');
    if (isNew) log.info('learnt which era the server speaks', { modern: verdict !== 'legacy' });
    const result = verdict === 'legacy' ? {} : verdict;
    await cache.rememberDiscovery({ askedAt: clock.now(), ...result });
  };

  const isDue = () => {
    if (isForbidden || isSettled()) return false;
    if (askedAt !== undefined && clock.monotonic() - askedAt < pause) return false;
    askedAt = clock.monotonic();
    return true;
  };

  const revision = isModernRevision(told) ? told : firstModern;
  return { isModern, discovered: () => cache.discovery()?.result, revision, learn, isDue };
}
