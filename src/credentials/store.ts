import { mkdirSync, readdirSync, renameSync, rmSync, statSync, watch as watchFolder } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { writeFile } from 'atomically';
import Conf from 'conf';
import { type Clock, createDeadline } from '../clock.ts';
import { BridgeError, errnoOf, unreadable } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Location } from './location.ts';
import { createLock, type HeldLock } from './lock.ts';
import { parseRecord } from './parse-record.ts';
import { type ConnectionRecord, covers, emptyRecord, schemaVersion } from './record.ts';

/** The record as the holder of the lock sees it. */
export interface LockedRecord {
  readonly lock: HeldLock;
  /** Reads the file again, whatever is known of it. */
  read(): Promise<ConnectionRecord>;
  /** One atomic, flushed write of the whole record. @throws BridgeError CREDENTIALS_LOCKED when the lock was lost. */
  write(record: ConnectionRecord): Promise<void>;
}

export interface Store {
  readonly path: string;
  /** The record; read again only when the file changed. @throws BridgeError CREDENTIALS_UNREADABLE, CONFIG_INVALID */
  load(): Promise<ConnectionRecord>;
  /** Runs `work` under the lock. @throws BridgeError CREDENTIALS_LOCKED, CREDENTIALS_UNREADABLE */
  locked<T>(work: (record: LockedRecord) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Read, change, write under the lock; `change` returns undefined to leave the record alone. Gives the record as it is then. */
  update(change: (record: ConnectionRecord) => ConnectionRecord | undefined): Promise<ConnectionRecord>;
  /** The record once `holds` is true of it, or undefined when `signal` aborts first. */
  waitFor(holds: (record: ConnectionRecord) => boolean, signal: AbortSignal): Promise<ConnectionRecord | undefined>;
  /** Calls `listener` after the record may have changed, whoever changed it. Gives the function that ends it. */
  subscribe(listener: () => void): () => void;
  close(): void;
}

interface StoreOptions {
  location: Location;
  upstreamUrl: string;
  clock: Clock;
  log: Log;
}

const lookAgain = 1_000;

export function createStore({ location, upstreamUrl, clock, log }: StoreOptions): Store {
  const path = location.record;
  const lock = createLock(`${path}.lock`, clock);
  const changes = createChanges(path);
  let known: { stamp: string; record: ConnectionRecord } | undefined;

  const load = async () => {
    const stamp = await stampOf(path);
    if (known && known.stamp === stamp) return known.record;
    const found = stamp === undefined ? { kind: 'absent' as const } : readFile(path);
    const record = found.kind === 'damaged' ? await locked((held) => held.read()) : accept(found, path, upstreamUrl);
    known = stamp === undefined || found.kind === 'damaged' ? undefined : { stamp, record };
    return record;
  };

  const locked = async <T>(work: (record: LockedRecord) => Promise<T>, signal?: AbortSignal) => {
    makeFolder(location.folder);
    changes.begin();
    const held = await lock.acquire(signal);
    const read = async () => {
      let found = readFile(path);
      if (found.kind === 'damaged') {
        moveAside(path, clock, log);
        found = { kind: 'absent' };
      }
      return accept(found, path, upstreamUrl);
    };
    const requireLock = () => {
      if (!held.isHeld()) throw new BridgeError('CREDENTIALS_LOCKED', 'another process took the record over');
    };
    const write = async (record: ConnectionRecord) => {
      requireLock();
      await writeWhole(path, record, requireLock);
      changes.tell();
    };
    try {
      sweepDrafts(path);
      return await work({ lock: held, read, write });
    } finally {
      await held.release();
    }
  };

  const update: Store['update'] = (change) =>
    locked(async (held) => {
      const record = await held.read();
      const changed = change(record);
      if (changed) await held.write(changed);
      return changed ?? record;
    });

  const waitFor: Store['waitFor'] = async (holds, signal) => {
    while (!signal.aborted) {
      const changed = new AbortController();
      const unsubscribe = changes.subscribe(() => changed.abort());
      try {
        const record = await load();
        if (holds(record)) return record;
        // Folder watching is an accelerator; where it does not work, a look per second does.
        const deadline = createDeadline(clock, lookAgain, changed.signal, signal);
        await clock.sleep(lookAgain, deadline.signal);
        deadline.release();
      } finally {
        unsubscribe();
      }
    }
    return undefined;
  };

  return { path, load, locked, update, waitFor, subscribe: changes.subscribe, close: changes.close };
}

type FileContent = ReturnType<typeof parseRecord> | { kind: 'absent' };

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

function accept(found: FileContent, path: string, upstreamUrl: string): ConnectionRecord {
  if (found.kind === 'newer') {
    throw new BridgeError(
      'CREDENTIALS_UNREADABLE',
      `${path} was written by a newer version (schema over ${schemaVersion})`,
      {
        hint: 'update this copy: `npx -y notion-mcp-bridge@latest`',
      },
    );
  }
  if (found.kind !== 'record') return emptyRecord(upstreamUrl);
  const { grant } = found.record;
  if (found.record.upstreamUrl !== upstreamUrl || (grant && !covers(grant.resource, upstreamUrl))) {
    throw new BridgeError('CONFIG_INVALID', `${path} belongs to ${found.record.upstreamUrl}`, {
      hint: 'move that file away, or choose another `--profile`',
    });
  }
  return found.record;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unreadable('read', folder, error);
  }
}

function moveAside(path: string, clock: Clock, log: Log): void {
  const aside = `${path}.corrupt-${clock.now()}`;
  renameSync(path, aside);
  log.error('the connection record was damaged and was moved aside', { path: aside });
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
 * A stream makes atomically write in a loop: given a string it calls write(2) once and would rename a file that a full
 * disk cut short. The folder is flushed, too, so that the rename survives a power cut. The lock is asked for once the
 * draft is there: whoever robs it before that is noticed, and whoever robs it later sweeps the draft.
 */
async function writeWhole(path: string, record: ConnectionRecord, requireLock: () => void): Promise<void> {
  try {
    const data = Readable.from([Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`)]);
    await writeFile(path, data, { mode: 0o600, fsync: true, tmpCreated: requireLock });
    if (process.platform === 'win32') return;
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
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

/** Tells of changes of the file by watching its folder, since an atomic write replaces the file. */
function createChanges(path: string) {
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  let watcher: ReturnType<typeof watchFolder> | undefined;
  const begin = () => {
    if (watcher || listeners.size === 0) return;
    try {
      // A bridge that is there before the folder would never hear of the first sign-in.
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      watcher = watchFolder(dirname(path), { persistent: false }, (_event, name) => {
        if (name === null || name === basename(path)) tell();
      });
      watcher.on('error', close);
    } catch {
      // The folder does not exist yet, or cannot be watched: the stat before each request still notices (product.md 5).
      watcher = undefined;
    }
  };
  const close = () => {
    watcher?.close();
    watcher = undefined;
  };
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    begin();
    return () => {
      listeners.delete(listener);
    };
  };
  return { subscribe, begin, tell, close };
}
