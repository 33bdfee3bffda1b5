import type { Page } from './upstream/workspace.ts';

/** What a call may be answered with instead of its result, where a scenario says so. */
export type Excuse = 'link' | 'network trouble' | 'disk trouble' | 'unknown outcome';

const excuses: Record<Excuse, RegExp> = {
  link: /^(REAUTH_REQUIRED|AUTHORIZATION_TIMED_OUT): /,
  'network trouble': /^(AUTHORIZATION_SERVER_UNREACHABLE|UPSTREAM_UNREACHABLE): .+ Next step: /,
  'disk trouble': /^CREDENTIALS_UNREADABLE: .+ Next step: /,
  'unknown outcome': /^OUTCOME_UNKNOWN: /,
};

export interface Answer {
  text: string;
  isError: boolean;
}

/** How a call ended. `lost`: its process was killed. */
export interface CallEnd {
  by: string;
  /** The title of the page that it was to make, if it was a change. */
  writes: string | undefined;
  answer: Answer | 'lost';
  /** How long it waited, ms, without the time in which its process was stopped. */
  took: number;
  /** How long it may wait, ms. */
  bound: number;
  may: readonly Excuse[];
}

/** Every call of a fleet: what was promised of it, and what became of it. */
export class Ledger {
  readonly #ends: CallEnd[] = [];
  #begun = 0;

  begin(): number {
    this.#begun += 1;
    return this.#begun;
  }

  end(end: CallEnd): void {
    this.#ends.push(end);
  }

  get calls(): number {
    return this.#begun;
  }

  /** Answered with what the scenario allows instead of a result. */
  get told(): number {
    return this.#ends.filter((end) => excuseOf(end) !== undefined).length;
  }

  /** One line for each call that failed, or waited for too long. */
  failures(): string[] {
    return this.#ends.flatMap((end) => {
      const late = end.answer !== 'lost' && end.took > end.bound;
      const [text] = textOf(end).split('\n');
      if (late) return [`${end.by} waited ${Math.round(end.took)} ms: ${text}`];
      return isGood(end) || end.answer === 'lost' || excuseOf(end) ? [] : [`${end.by} was answered: ${text}`];
    });
  }

  /** Links that were shown to the person. */
  links(): string[] {
    return this.#ends.flatMap((end) => (excuseOf(end) === 'link' ? [linkIn(textOf(end))] : []));
  }

  /** One line for each change that was made twice, was lost, or was made although its call was answered otherwise (P8). */
  wrongChanges(pages: readonly Page[]): string[] {
    return this.#ends.flatMap((end) => {
      if (end.writes === undefined) return [];
      const made = pages.filter(({ title }) => title === end.writes).length;
      const excuse = excuseOf(end);
      const unknown = end.answer === 'lost' || excuse === 'unknown outcome';
      const isRight = unknown ? made <= 1 : made === (isGood(end) ? 1 : 0);
      return isRight ? [] : [`${end.writes} was made ${made} times; its call was answered: ${textOf(end)}`];
    });
  }
}

function isGood({ answer }: CallEnd): boolean {
  return answer !== 'lost' && !answer.isError;
}

function excuseOf({ answer, may }: CallEnd): Excuse | undefined {
  if (answer === 'lost' || !answer.isError) return undefined;
  return may.find((excuse) => excuses[excuse].test(answer.text));
}

function textOf({ answer }: CallEnd): string {
  return answer === 'lost' ? 'its process was killed' : answer.text;
}

function linkIn(text: string): string {
  return /http:\/\/127\.0\.0\.1:\d+\/authorize\?\S+/.exec(text)?.[0] ?? `no link in: ${text}`;
}
