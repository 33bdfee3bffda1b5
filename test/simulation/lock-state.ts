import type { LockFolder } from '../../src/credentials/lock-folder.ts';
import type { Owner } from '../../src/credentials/owner.ts';
import type { SimulatedProcess } from './process.ts';

/** The lock folder on the simulated disk. */
export interface LockState {
  held: { owner: Owner; beats: number } | undefined;
  /** A name that was buried once cannot be buried again. */
  readonly graves: Set<string>;
  /** Why it cannot be taken at all, if so. */
  refusal: () => Error | undefined;
  /** Told when the lock of a process that lives is taken away from it. */
  onRobbery: () => void;
  /** Told of each heartbeat. */
  onBeat: () => void;
}

const heartbeat = 1_000;

export function createLockState(): LockState {
  return {
    held: undefined,
    graves: new Set(),
    refusal: () => undefined,
    onRobbery: () => undefined,
    onBeat: () => undefined,
  };
}

/** The lock as one process sees it; `delay` gives how long the next step on the disk takes, ms. */
export function openLockFolder(state: LockState, process: SimulatedProcess, delay: () => number): LockFolder {
  const bury = (nonce: string) => {
    if (state.held?.owner.nonce !== nonce || state.graves.has(nonce)) return;
    const { owner } = state.held;
    if (owner.pid !== process.pid && !process.processes.isGone(owner)) state.onRobbery();
    state.graves.add(nonce);
    state.held = undefined;
  };

  const take = async (owner: Owner) => {
    const taken = await process.later(delay(), 'the lock is taken', () => {
      const refused = state.refusal();
      if (refused) throw refused;
      if (state.held) return false;
      state.held = { owner, beats: 0 };
      return true;
    });
    if (!taken) return undefined;
    let compromised = false;
    const over = new AbortController();
    const isMine = () => state.held?.owner.nonce === owner.nonce;
    const beat = async () => {
      for (;;) {
        await process.clock.sleep(heartbeat, over.signal);
        if (over.signal.aborted) return;
        if (!isMine() || !state.held) {
          compromised = true;
          return;
        }
        state.held.beats += 1;
        state.onBeat();
      }
    };
    void beat();
    const release = async () => {
      over.abort();
      await process.later(delay(), 'the lock is given back', () => bury(owner.nonce));
    };
    return { isCompromised: () => compromised, release };
  };

  return {
    look: () =>
      state.held && {
        owner: state.held.owner,
        identity: 'always named',
        beat: `${state.held.owner.nonce} ${state.held.beats}`,
      },
    take,
    bury,
  };
}
