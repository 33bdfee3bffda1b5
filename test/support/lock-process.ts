import { readFile, writeFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { systemClock } from '../../src/clock.ts';
import { createLock, type HeldLock } from '../../src/credentials/lock.ts';
import { answerParent } from './answer-parent.ts';

// A process that contends for the lock at argv[2]; the file at argv[3] is what the lock guards.
const [path = '', guarded = ''] = process.argv.slice(2);
const lock = createLock(path, systemClock);
/** Looks again at once, so that as many acquisitions and releases as possible meet. */
const eagerLock = createLock(path, { ...systemClock, sleep: () => setImmediate() });
let held: HeldLock | undefined;

const verbs = answerParent({
  acquire: async () => {
    held = await lock.acquire();
    return held.owner;
  },
  isHeld: () => held?.isHeld() === true,
  release: () => held?.release(),
  /** Adds one, `times` times, in a way that loses additions unless the lock excludes. */
  add: async (times: number) => {
    for (let time = 0; time < times; time += 1) {
      const mine = await eagerLock.acquire();
      const before = Number(await readFile(guarded, 'utf8'));
      await writeFile(guarded, String(before + 1));
      if (!mine.isHeld()) throw new Error('lost the lock');
      await mine.release();
    }
  },
});

export type LockVerbs = typeof verbs;
