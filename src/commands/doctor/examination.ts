import { type Clock, createDeadline, untilAborted } from '../../clock.ts';
import { BridgeError, describe, type ErrorCode } from '../../errors.ts';

export type Verdict = 'fine' | 'warning' | 'failed' | 'not checked';
/** Who can mend it. */
export type Fault = 'this machine' | 'the grant' | 'the server';

/** What one check has to say, in a line, and what to do about it. */
export interface Finding {
  verdict: Verdict;
  what: string;
  fault?: Fault;
  fix?: string;
}

export const fine = (what: string): Finding => ({ verdict: 'fine', what });
export const warning = (fault: Fault, what: string, fix: string): Finding => ({ verdict: 'warning', what, fault, fix });
export const failed = (fault: Fault, what: string, fix: string): Finding => ({ verdict: 'failed', what, fault, fix });

/** A finding, with what the checks that depend on it need to know. Without a value they are not made. */
export interface Result<T> {
  finding: Finding;
  value?: T;
}

export interface Check<T> {
  readonly name: string;
  readonly finding: Promise<Finding>;
  /** Undefined when it failed, or was not made. */
  readonly value: Promise<T | undefined>;
}

type Values<N extends readonly Check<unknown>[]> = { [K in keyof N]: N[K] extends Check<infer V> ? V : never };

export interface CheckOptions<T, N extends readonly Check<unknown>[]> {
  name: string;
  /** Not made unless all of these brought a value. */
  needs: N;
  /** Whose fault it is when it takes too long, or fails in a way that does not tell. */
  blames: Fault;
  /** ms; `signal` aborts then. */
  limit?: number;
  run(values: Values<N>, signal: AbortSignal): Promise<Result<T>> | Result<T>;
}

const usualLimit = 5_000;
/** For a check that can say better than we what it was that took so long. */
const lastWords = 300;

/** Makes checks side by side, each as soon as what it needs is there; a check that fails stops no other. */
export function createExamination(clock: Clock) {
  return function check<T, const N extends readonly Check<unknown>[]>(options: CheckOptions<T, N>): Check<T> {
    const { name, needs, blames } = options;
    const examine = async (): Promise<Result<T>> => {
      const values = await Promise.all(needs.map(({ value }) => value));
      const missing = needs.filter((_need, nth) => values[nth] === undefined).map((need) => need.name);
      if (missing.length > 0) return { finding: { verdict: 'not checked', what: `needs ${missing.join(' and ')}` } };
      try {
        return await withinLimit(options, values as Values<N>, clock);
      } catch (error) {
        return { finding: findingOf(error, blames) };
      }
    };
    const result = examine();
    return { name, finding: result.then(({ finding }) => finding), value: result.then(({ value }) => value) };
  };
}

async function withinLimit<T, N extends readonly Check<unknown>[]>(
  { blames, limit = usualLimit, run }: CheckOptions<T, N>,
  values: Values<N>,
  clock: Clock,
): Promise<Result<T>> {
  const deadline = createDeadline(clock, limit);
  const end = createDeadline(clock, limit + lastWords);
  const late = failed(blames, `no result within ${limit / 1_000} seconds`, 'wait a little, then try again');
  try {
    const result = await untilAborted(Promise.resolve(run(values, deadline.signal)), end.signal);
    return result ?? { finding: late };
  } catch (error) {
    if (deadline.signal.aborted) return { finding: late };
    throw error;
  } finally {
    deadline.release();
    end.release();
  }
}

const faultOf: Partial<Record<ErrorCode, Fault>> = {
  REAUTH_REQUIRED: 'the grant',
  CREDENTIALS_UNREADABLE: 'this machine',
  CREDENTIALS_LOCKED: 'this machine',
  CONFIG_INVALID: 'this machine',
  UPSTREAM_REFUSED: 'the server',
  AUTHORIZATION_SERVER_MISBEHAVED: 'the server',
};

export function findingOf(error: unknown, blames: Fault): Finding {
  if (!(error instanceof BridgeError)) return failed(blames, describe(error), 'report this line as a bug');
  return failed(faultOf[error.code] ?? blames, `${error.message} (${error.code})`, error.hint);
}
