import { systemClock } from '../../src/clock.ts';
import { locate } from '../../src/credentials/location.ts';
import { createStore, type LockedRecord } from '../../src/credentials/store.ts';
import { createLog } from '../../src/log.ts';
import { answerParent } from './answer-parent.ts';

// A process with a store of its own in the folder argv[2], for the upstream argv[3].
const [folder = '', upstreamUrl = ''] = process.argv.slice(2);
const location = locate(folder, 'default', new URL(upstreamUrl));
const store = createStore({ location, upstreamUrl, clock: systemClock, log: createLog('error', {}, systemClock) });
let held: LockedRecord | undefined;
let letGo = () => {};

const verbs = answerParent({
  load: () => store.load(),
  /** Lets the generation grow, one locked update each. */
  grow: async (times: number) => {
    for (let time = 0; time < times; time += 1)
      await store.update((record) => ({ ...record, generation: record.generation + 1 }));
  },
  /** Takes the lock and keeps it. */
  hold: () =>
    new Promise<void>((resolve) => {
      void store.locked((record) => {
        held = record;
        resolve();
        return new Promise<void>((released) => {
          letGo = released;
        });
      });
    }),
  /** Writes, under the lock that it took, what it read before it may have lost it. */
  write: async (generation: number) => {
    if (!held) throw new Error('nothing is held');
    await held.write({ ...(await held.read()), generation });
  },
  letGo: () => letGo(),
});

export type StoreVerbs = typeof verbs;
