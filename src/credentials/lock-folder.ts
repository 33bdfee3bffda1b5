import fs from 'node:fs';
import { dirname, join } from 'node:path';
import lockfile from 'proper-lockfile';
import { errnoOf, unreadable } from '../errors.ts';
import type { Owner } from './owner.ts';

/** What a waiter sees of a lock that is held. */
export interface LockSeen {
  owner: Owner | undefined;
  /** Tells one lock from the next, even where no name can be read. */
  identity: string;
  /** Changes with each heartbeat. */
  beat: string;
}

/** Mutual exclusion without a rule about who may rob whom: that is `lock.ts`. */
export interface LockFolder {
  /** Undefined when it is free. @throws BridgeError CREDENTIALS_UNREADABLE */
  look(): LockSeen | undefined;
  /** Takes it if it is free, and beats its heart until it is given back. @throws BridgeError CREDENTIALS_UNREADABLE */
  take(owner: Owner): Promise<TakenLock | undefined>;
  /** Removes the lock of `nonce`, and no other. */
  bury(nonce: string): void;
}

export interface TakenLock {
  /** True once its heart could not beat, or another was seen in its place. */
  isCompromised(): boolean;
  /** Never throws, and never removes another's lock. */
  release(): Promise<void>;
}

const heartbeat = 1_000;
const graveLife = 600_000;
/** proper-lockfile's own rule compares two clocks and breaks in sleep: never let it decide. */
const never = 2 ** 40;

/**
 * proper-lockfile makes the folder, beats its heart and notices when it was taken; on top of that stand the owner's name
 * inside the folder, and removal by renaming (docs/storage.md says why).
 */
export function createLockFolder(path: string): LockFolder {
  const take = async (owner: Owner): Promise<TakenLock | undefined> => {
    let compromised = false;
    try {
      const unlock = await lockfile.lock(path, {
        lockfilePath: path,
        realpath: false,
        stale: never,
        update: heartbeat,
        fs: namedFolders(owner),
        onCompromised: () => {
          compromised = true;
        },
      });
      return { isCompromised: () => compromised, release: () => unlock().catch(() => bury(path, owner.nonce)) };
    } catch (error) {
      if (errnoOf(error) === 'ELOCKED') return undefined;
      throw unreadable('lock', path, error);
    }
  };

  const look = (): LockSeen | undefined => {
    const stat = statOf(path);
    return stat && { owner: readOwner(path), identity: `unnamed-${stat.ino}`, beat: `${stat.ino} ${stat.mtimeNs}` };
  };

  return { look, take, bury: (nonce) => bury(path, nonce) };
}

function statOf(path: string): fs.BigIntStats | undefined {
  try {
    return fs.statSync(path, { throwIfNoEntry: false, bigint: true });
  } catch (error) {
    throw unreadable('lock', path, error);
  }
}

/**
 * Removes the lock of `nonce`, and no other: the folder is renamed to a grave of that name. A grave is not empty, so a
 * second thief, or a late holder, cannot bury whoever holds the lock by then: its rename fails.
 */
function bury(path: string, nonce: string): void {
  if (readOwner(path) !== undefined && readOwner(path)?.nonce !== nonce) return;
  const grave = `${path}.grave-${nonce}`;
  try {
    fs.renameSync(path, grave);
  } catch {
    // Somebody else was faster, or the folder refuses; the next look tells.
  }
}

/** The file system as proper-lockfile sees it: a lock folder appears with its owner's name in it, in one step. */
function namedFolders(owner: Owner) {
  const mkdir = (path: string, done: (error: unknown) => void) => {
    const draft = `${path}.draft-${owner.nonce}`;
    try {
      fs.mkdirSync(draft, { mode: 0o700 });
      fs.writeFileSync(join(draft, 'owner.json'), JSON.stringify(owner), { mode: 0o600 });
      sweepRemains(draft);
      fs.renameSync(draft, path);
      done(null);
    } catch (error) {
      fs.rmSync(draft, { recursive: true, force: true });
      // Renaming onto a folder that is not empty: ENOTEMPTY or EEXIST, even if it is released by now; on Windows EPERM.
      const held = /^(ENOTEMPTY|EEXIST)$/.test(errnoOf(error) ?? '') || fs.existsSync(path);
      done(held ? Object.assign(new Error('lock is held'), { code: 'EEXIST' }) : error);
    }
  };
  const rmdir = (path: string, done: (error: unknown) => void) => {
    bury(path, owner.nonce);
    done(null);
  };
  return { ...fs, mkdir, rmdir, rmdirSync: (path: string) => bury(path, owner.nonce) };
}

function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(fs.readFileSync(join(path, 'owner.json'), 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

/**
 * Graves stay long enough to stop every late hand, then go, and so do drafts of a crash. Age is told by the file system's
 * own clock, from the draft that was made just now: a clock that was set must not sweep the draft of a living process.
 */
function sweepRemains(draft: string): void {
  const folder = dirname(draft);
  const { mtimeMs: now } = fs.statSync(draft);
  for (const name of fs.readdirSync(folder)) {
    if (!/\.lock\.(grave|draft)-/.test(name)) continue;
    try {
      const { mtimeMs } = fs.statSync(join(folder, name));
      if (now - mtimeMs > graveLife) fs.rmSync(join(folder, name), { recursive: true, force: true });
    } catch {
      // Another process was faster, or it belongs to another user.
    }
  }
}
