import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import lockfile from 'proper-lockfile';
import type { Clock } from '../clock.ts';
import { BridgeError, errnoOf, unreadable } from '../errors.ts';

/** Who holds a lock or has a refresh under way. `nonce` tells two holds of one process apart. */
export interface Owner {
  nonce: string;
  pid: number;
  /** Host and process-id namespace: a pid means something only inside it. */
  place: string;
}

export interface HeldLock {
  readonly owner: Owner;
  /** Asks the disk, so that a holder that was stopped and robbed notices (product.md 5). */
  isHeld(): boolean;
  /** Never throws, and never removes another's lock. */
  release(): Promise<void>;
}

export interface Lock {
  /** @throws BridgeError CREDENTIALS_LOCKED after `waitLimit` or when `signal` aborts, CREDENTIALS_UNREADABLE when the folder refuses. */
  acquire(signal?: AbortSignal): Promise<HeldLock>;
}

const heartbeat = 1_000;
const staleAfter = 5_000;
const longestLookGap = 1_000;
const shortestLookGap = 20;
const waitLimit = 90_000;
const graveLife = 600_000;
/** proper-lockfile's own rule compares two clocks and breaks in sleep: never let it decide. */
const never = 2 ** 40;

const place = findPlace();

export function newOwner(): Owner {
  return { nonce: randomUUID(), pid: process.pid, place };
}

/** True only when it is certain: same place, and no such process. */
export function isGone(owner: Owner): boolean {
  if (owner.place !== place) return false;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
}

/** True when the owner lives on another machine or in another container, where it cannot be asked. */
export function isElsewhere(owner: Owner): boolean {
  return owner.place !== place;
}

/**
 * A lock between processes. proper-lockfile makes the folder, beats its heart and notices when it was taken; on top of
 * that stand the owner's name inside the folder, staleness by one's own looks, and removal by renaming
 * (docs/storage.md says why).
 */
export function createLock(path: string, clock: Clock): Lock {
  const tryOnce = async (): Promise<HeldLock | undefined> => {
    const owner = newOwner();
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
      const isHeld = () => !compromised && readOwner(path)?.nonce === owner.nonce;
      return { owner, isHeld, release: () => unlock().catch(() => bury(path, owner.nonce)) };
    } catch (error) {
      if (errnoOf(error) === 'ELOCKED') return undefined;
      throw unreadable('lock', path, error);
    }
  };

  return {
    acquire: async (signal) => {
      const began = clock.monotonic();
      const watch = createWatch(path, clock);
      for (let gap = shortestLookGap; ; gap = Math.min(gap * 1.5, 250)) {
        const look = watch.look();
        if (look.abandoned) bury(path, look.nonce);
        const held = look.free || look.abandoned ? await tryOnce() : undefined;
        if (held) return held;
        if (signal?.aborted || clock.monotonic() - began > waitLimit) {
          throw new BridgeError('CREDENTIALS_LOCKED', 'another process holds the record');
        }
        await clock.sleep(gap, signal);
      }
    },
  };
}

type Look = { free: boolean; abandoned: false } | { free: false; abandoned: true; nonce: string };

/** What one waiter saw: a lock is stale when *its own* consecutive looks, close enough together, saw no heartbeat. */
function createWatch(path: string, clock: Clock): { look(): Look } {
  let seen = '';
  let unchangedSince = 0;
  let lastLook = Number.NEGATIVE_INFINITY;
  return {
    look: () => {
      const now = clock.monotonic();
      const stat = statOf(path);
      if (!stat) return { free: true, abandoned: false };
      const owner = readOwner(path);
      const current = `${owner?.nonce} ${stat.ino} ${stat.mtimeNs}`;
      if (current !== seen || now - lastLook > longestLookGap) unchangedSince = now;
      seen = current;
      lastLook = now;
      const abandoned = (owner !== undefined && isGone(owner)) || now - unchangedSince > staleAfter;
      return abandoned
        ? { free: false, abandoned, nonce: owner?.nonce ?? `unnamed-${stat.ino}` }
        : { free: false, abandoned };
    },
  };
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

function findPlace(): string {
  try {
    return `${hostname()} ${fs.readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
