import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFile } from 'atomically';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';

/**
 * A JSON file beside the record whose loss costs nothing (product.md 5). No lock: of two writers the last one wins,
 * after reading what the other wrote. It never throws; a file that cannot be read counts as empty.
 */
export interface SideFile<T> {
  read(): T;
  change(apply: (content: T) => T): Promise<void>;
}

/** `accept` turns whatever the file held, or `undefined`, into content. */
export function createSideFile<T>(path: string, accept: (json: unknown) => T, log: Log): SideFile<T> {
  let writing: Promise<void> = Promise.resolve();
  const read = (): T => {
    try {
      return accept(JSON.parse(readFileSync(path, 'utf8')));
    } catch {
      return accept(undefined);
    }
  };
  const write = async (apply: (content: T) => T) => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, JSON.stringify(apply(read())), { mode: 0o600, fsync: false });
  };
  const change: SideFile<T>['change'] = (apply) => {
    writing = writing
      .then(() => write(apply))
      .catch((error) => log.debug('could not write a side file', { path, why: describe(error) }));
    return writing;
  };
  return { read, change };
}
