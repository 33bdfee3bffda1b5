import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { hostname } from 'node:os';
import { errnoOf } from '../errors.ts';

/** Who holds a lock or has a refresh under way. `nonce` tells two holds of one process apart. */
export interface Owner {
  nonce: string;
  pid: number;
  /** Host and process-id namespace: a pid means something only inside it. */
  place: string;
}

/** The processes that share a record, as one of them sees itself and the others. */
export interface Processes {
  newOwner(): Owner;
  /** True only when it is certain: same place, and no such process. */
  isGone(owner: Owner): boolean;
  /** True when the owner lives on another machine or in another container, where it cannot be asked. */
  isElsewhere(owner: Owner): boolean;
  /** True of another process that is not known to be gone: it may still bring what it has begun. */
  mayAnswer(owner: Owner): boolean;
}

const place = findPlace();

const isGone = (owner: Owner) => {
  if (owner.place !== place) return false;
  try {
    process.kill(owner.pid, 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
};

export const systemProcesses: Processes = {
  newOwner: () => ({ nonce: randomUUID(), pid: process.pid, place }),
  isGone,
  isElsewhere: (owner) => owner.place !== place,
  mayAnswer: (owner) => !isGone(owner) && !(owner.pid === process.pid && owner.place === place),
};

function findPlace(): string {
  try {
    return `${hostname()} ${fs.readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
