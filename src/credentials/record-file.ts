import { mkdirSync, readdirSync, renameSync, rmSync, statSync, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import Conf from 'conf';
import { BridgeError, errnoOf, unreadable } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';
import { parseRecord } from './parse-record.ts';
import type { ConnectionRecord } from './record.ts';

export type FileContent = ReturnType<typeof parseRecord> | { kind: 'absent' };

/** The file that holds a record, and its folder. Everything throws BridgeError CREDENTIALS_UNREADABLE when it refuses. */
export interface RecordFile {
  readonly path: string;
  /** Changes whenever the file does; undefined while there is none. */
  stamp(): Promise<string | undefined>;
  read(): FileContent;
  /** One atomic, flushed write. `requireLock` is asked last before it counts, and may throw. */
  write(record: ConnectionRecord, requireLock: () => void): Promise<void>;
  /** Out of the way, for a person to look at. Gives where it is. */
  moveAside(suffix: string): string;
  makeFolder(): void;
  sweepDrafts(): void;
  /**
   * Calls `changed` when the file may have changed, until the folder cannot be watched any more, which it tells with
   * `ended`. Gives what ends it, or undefined where folders cannot be watched at all.
   */
  watch(changed: () => void, ended: () => void): (() => void) | undefined;
}

export function createRecordFile(path: string): RecordFile {
  const folder = dirname(path);
  return {
    path,
    stamp: () => stampOf(path),
    read: () => readFile(path),
    write: (record, requireLock) => writeRecord(path, record, requireLock),
    moveAside: (suffix) => {
      renameSync(path, `${path}.${suffix}`);
      return `${path}.${suffix}`;
    },
    makeFolder: () => makeFolder(folder),
    sweepDrafts: () => sweepDrafts(path),
    watch: (changed, ended) => {
      try {
        // A bridge that is there before the folder would never hear of the first sign-in.
        makeFolder(folder);
        const watcher = watch(folder, { persistent: false }, (_event, name) => {
          if (name === null || name === basename(path)) changed();
        });
        watcher.on('error', () => {
          watcher.close();
          ended();
        });
        return () => watcher.close();
      } catch {
        // The folder does not exist yet, or cannot be watched: the stat before each request still notices (product.md 5).
        return undefined;
      }
    },
  };
}

/** conf locates and reads; it never creates, clears, watches or writes here (product.md 5). */
function readFile(path: string): FileContent {
  if (!statSync(path, { throwIfNoEntry: false })) return { kind: 'absent' };
  try {
    const conf = new Conf<Record<string, unknown>>({
      cwd: dirname(path),
      configName: basename(path, '.json'),
      clearInvalidConfig: false,
      accessPropertiesByDotNotation: false,
      configFileMode: 0o600,
    });
    return parseRecord({ ...conf.store });
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'damaged' };
    throw unreadable('read', path, error);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unreadable('read', folder, error);
  }
}

/**
 * Only the holder of the lock writes, so a draft that is there now was left by a crash, with tokens in it, or belongs to
 * a holder that was stopped in mid-write and robbed: without its draft it cannot put old tokens over new ones (P4).
 */
function sweepDrafts(path: string): void {
  const folder = dirname(path);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${basename(path)}.tmp-`)) rmSync(join(folder, name), { force: true, recursive: true });
  }
}

/**
 * The lock is asked for once the draft is there: whoever robs it before that is noticed, and whoever robs it later sweeps
 * the draft.
 */
async function writeRecord(path: string, record: ConnectionRecord, requireLock: () => void): Promise<void> {
  try {
    const bytes = Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`);
    await writeWhole(path, bytes, { mode: 0o600, beforeItCounts: requireLock });
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    throw unreadable('write', path, error);
  }
}

async function stampOf(path: string): Promise<string | undefined> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw unreadable('read', path, error);
  }
}
