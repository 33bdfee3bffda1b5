import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { RefreshOutcome } from '../oauth/refresh.ts';
import { createSideFile } from './side-file.ts';

const counterNames = ['refreshes', 'signIns', 'tabsOpened'] as const;
export type CounterName = (typeof counterNames)[number];

export interface Counts extends Record<CounterName, number> {
  /** When counting began, ms since the epoch; absent before there was anything to count. */
  since?: number;
  /** Refreshes that failed, by the wire code, or by the word for what became of the request (product.md 6.5). */
  failures: Record<string, number>;
  lastFailure?: { code: string; at: number };
}

/** How often things happened: a count may be lost, never a credential. */
export interface Counters {
  add(name: CounterName): void;
  addRefresh(outcome: RefreshOutcome): void;
  read(): Counts;
  /** Resolves once what was added is written, or could not be. */
  settled(): Promise<void>;
}

/** Codes come from a server: beyond this many they are counted together (product.md 11). */
const codesKept = 10;
const anyOther = 'other';

export function createCounters(path: string, clock: Clock, log: Log): Counters {
  const file = createSideFile(path, acceptCounts, log);
  let writing: Promise<void> = Promise.resolve();
  const count = (change: (counts: Counts, now: number) => Counts) => {
    const now = clock.now();
    writing = file.change((counts) => ({ since: now, ...change(counts, now) }));
  };
  const add = (name: CounterName) => count((counts) => ({ ...counts, [name]: counts[name] + 1 }));
  const addFailure = (code: string) =>
    count((counts, at) => ({
      ...counts,
      failures: withOneMore(counts.failures, code),
      lastFailure: { code, at },
    }));
  return {
    add,
    addRefresh: (outcome) => {
      if (outcome.kind === 'renewed') add('refreshes');
      else addFailure('oauthError' in outcome ? outcome.oauthError : outcome.kind);
    },
    read: file.read,
    settled: () => writing,
  };
}

function withOneMore(failures: Counts['failures'], code: string): Counts['failures'] {
  const isKept = Object.hasOwn(failures, code) || Object.keys(failures).length < codesKept;
  const name = isKept ? code : anyOther;
  return { ...failures, [name]: (Object.hasOwn(failures, name) ? (failures[name] as number) : 0) + 1 };
}

function acceptCounts(json: unknown): Counts {
  const found = membersOf(json);
  const { code, at } = membersOf(found.lastFailure);
  const numbers = Object.fromEntries(counterNames.map((name) => [name, isCount(found[name]) ? found[name] : 0]));
  return {
    ...(isCount(found.since) ? { since: found.since } : {}),
    ...(numbers as Record<CounterName, number>),
    failures: Object.fromEntries(
      Object.entries(membersOf(found.failures))
        .filter((entry): entry is [string, number] => isCode(entry[0]) && isCount(entry[1]))
        .slice(0, codesKept + 1),
    ),
    ...(isCode(code) && isCount(at) ? { lastFailure: { code, at } } : {}),
  };
}

function membersOf(json: unknown): Record<string, unknown> {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCode(value: unknown): value is string {
  return typeof value === 'string' && /^[\w. -]{1,60}$/.test(value);
}
