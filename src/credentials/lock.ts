import type { Clock } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import { createLockFolder, type LockFolder } from './lock-folder.ts';
import { type Owner, type Processes, systemProcesses } from './owner.ts';

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

const staleAfter = 5_000;
const longestLookGap = 1_000;
const shortestLookGap = 20;
const waitLimit = 90_000;

/** The lock whose folder is at `path`, between the processes of this machine. */
export function createLock(path: string, clock: Clock): Lock {
  return createLockOver(createLockFolder(path), clock, systemProcesses);
}

/** A lock between processes: staleness by one's own looks, and an owner that can be asked for (docs/storage.md). */
export function createLockOver(folder: LockFolder, clock: Clock, processes: Processes): Lock {
  const tryOnce = async (): Promise<HeldLock | undefined> => {
    const owner = processes.newOwner();
    const taken = await folder.take(owner);
    if (!taken) return undefined;
    const isHeld = () => !taken.isCompromised() && folder.look()?.owner?.nonce === owner.nonce;
    return { owner, isHeld, release: taken.release };
  };

  return {
    acquire: async (signal) => {
      const began = clock.monotonic();
      const look = createWatch(folder, clock, processes);
      for (let gap = shortestLookGap; ; gap = Math.min(gap * 1.5, 250)) {
        const seen = look();
        if (seen.abandoned) folder.bury(seen.nonce);
        const held = seen.free || seen.abandoned ? await tryOnce() : undefined;
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
function createWatch(folder: LockFolder, clock: Clock, processes: Processes): () => Look {
  let last = '';
  let unchangedSince = 0;
  let lastLook = Number.NEGATIVE_INFINITY;
  return () => {
    const now = clock.monotonic();
    const seen = folder.look();
    if (!seen) return { free: true, abandoned: false };
    const { owner, identity, beat } = seen;
    const current = `${owner?.nonce} ${beat}`;
    if (current !== last || now - lastLook > longestLookGap) unchangedSince = now;
    last = current;
    lastLook = now;
    const abandoned = (owner !== undefined && processes.isGone(owner)) || now - unchangedSince > staleAfter;
    return abandoned ? { free: false, abandoned, nonce: owner?.nonce ?? identity } : { free: false, abandoned };
  };
}
