import type { Log } from '../log.ts';
import { createSideFile } from './side-file.ts';

const counterNames = ['tabsOpened', 'refreshes'] as const;
export type CounterName = (typeof counterNames)[number];
export type Counts = Partial<Record<CounterName, number>>;

/** How often things happened: a count may be lost, never a credential. */
export interface Counters {
  add(name: CounterName): void;
  read(): Counts;
}

export function createCounters(path: string, log: Log): Counters {
  const file = createSideFile(path, acceptCounts, log);
  return {
    add: (name) => void file.change((counts) => ({ ...counts, [name]: (counts[name] ?? 0) + 1 })),
    read: file.read,
  };
}

function acceptCounts(json: unknown): Counts {
  const found = (json ?? {}) as Record<string, unknown>;
  return Object.fromEntries(
    counterNames.map((name) => [name, found[name]]).filter(([, count]) => Number.isInteger(count)),
  );
}
