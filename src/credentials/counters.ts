import { readFileSync } from 'node:fs';
import { writeFile } from 'atomically';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';

export const counterNames = ['tabsOpened', 'refreshes'] as const;
export type CounterName = (typeof counterNames)[number];
export type Counts = Partial<Record<CounterName, number>>;

/** How often things happened, in an expendable side file without a lock: a count may be lost, never a credential. */
export interface Counters {
  add(name: CounterName): void;
  read(): Counts;
}

export function createCounters(path: string, log: Log): Counters {
  let writing: Promise<void> = Promise.resolve();
  const read = (): Counts => {
    try {
      const found = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
      return Object.fromEntries(
        counterNames.map((name) => [name, found[name]]).filter(([, count]) => Number.isInteger(count)),
      );
    } catch {
      return {};
    }
  };
  const increase = async (name: CounterName) => {
    const counts = read();
    await writeFile(path, JSON.stringify({ ...counts, [name]: (counts[name] ?? 0) + 1 }), {
      mode: 0o600,
      fsync: false,
    });
  };
  const add = (name: CounterName) => {
    writing = writing
      .then(() => increase(name))
      .catch((error) => log.debug('could not count', { why: describe(error) }));
  };
  return { add, read };
}
