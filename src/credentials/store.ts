import { type Clock, createDeadline } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Location } from './location.ts';
import { createLock, type HeldLock, type Lock } from './lock.ts';
import { type Processes, systemProcesses } from './owner.ts';
import { type ConnectionRecord, covers, emptyRecord, schemaVersion } from './record.ts';
import { createRecordFile, type FileContent, type RecordFile } from './record-file.ts';

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
  /** Who shares it. */
  readonly processes: Processes;
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

/** What a store is made of. */
export interface StoreParts extends Omit<StoreOptions, 'location'> {
  file: RecordFile;
  lock: Lock;
  processes: Processes;
}

const lookAgain = 1_000;

export function createStore({ location, ...options }: StoreOptions): Store {
  const lock = createLock(location.lock, options.clock);
  return createStoreOver({ ...options, file: createRecordFile(location.record), lock, processes: systemProcesses });
}

export function createStoreOver({ file, lock, processes, upstreamUrl, clock, log }: StoreParts): Store {
  const { path } = file;
  const changes = createChanges(file);
  let known: { stamp: string; record: ConnectionRecord } | undefined;

  const load = async () => {
    const stamp = await file.stamp();
    if (known && known.stamp === stamp) return known.record;
    const found = stamp === undefined ? { kind: 'absent' as const } : file.read();
    const record = found.kind === 'damaged' ? await locked((held) => held.read()) : accept(found, path, upstreamUrl);
    known = stamp === undefined || found.kind === 'damaged' ? undefined : { stamp, record };
    return record;
  };

  const locked = async <T>(work: (record: LockedRecord) => Promise<T>, signal?: AbortSignal) => {
    file.makeFolder();
    changes.begin();
    const held = await lock.acquire(signal);
    const read = async () => {
      let found = file.read();
      if (found.kind === 'damaged') {
        const aside = file.moveAside(`corrupt-${clock.now()}`);
        log.error('the connection record was damaged and was moved aside', { path: aside });
        found = { kind: 'absent' };
      }
      return accept(found, path, upstreamUrl);
    };
    const requireLock = () => {
      if (!held.isHeld()) throw new BridgeError('CREDENTIALS_LOCKED', 'another process took the record over');
    };
    const write = async (record: ConnectionRecord) => {
      requireLock();
      await file.write(record, requireLock);
      changes.tell();
    };
    try {
      file.sweepDrafts();
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

  return { path, processes, load, locked, update, waitFor, subscribe: changes.subscribe, close: changes.close };
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

/** Tells of changes of the file by watching its folder, since an atomic write replaces the file. */
function createChanges(file: RecordFile) {
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  let unwatch: (() => void) | undefined;
  const begin = () => {
    if (unwatch || listeners.size === 0) return;
    unwatch = file.watch(tell, () => {
      unwatch = undefined;
    });
  };
  const close = () => {
    unwatch?.();
    unwatch = undefined;
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
