import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/clock.ts';
import { createLockOver, type HeldLock } from '../../src/credentials/lock.ts';
import type { LockFolder } from '../../src/credentials/lock-folder.ts';
import type { ContendedLock } from '../support/lock-contract.ts';
import { createChance } from './chance.ts';
import { openLockFolder } from './lock-state.ts';
import { createMachine } from './machine.ts';
import { type SimulatedProcess, startProcess } from './process.ts';
import { createStory } from './story.ts';
import { createVirtualTime } from './virtual-time.ts';

type Verbs = Parameters<Awaited<ReturnType<ContendedLock['process']>>['ask']>[0];

/** The lock of the simulation, for the contract that the real one is held to. */
export async function contendSimulatedLock(): Promise<ContendedLock> {
  const time = createVirtualTime(0, () => setImmediate());
  const chance = createChance(1);
  const machine = createMachine(time, chance, createStory(time.now, 0, false));
  const state = machine.lock;
  const me = startProcess(machine, 'the test');
  let guarded = 0;
  let driving: Promise<void> = Promise.resolve();

  /** Lets virtual time pass until `promise` is settled. */
  const drive = async <T>(promise: Promise<T>): Promise<T> => {
    let over = false;
    const end = () => {
      over = true;
    };
    promise.then(end, end);
    for (let steps = 0; !over; steps++) {
      if (steps > 20_000) throw new Error('nothing happens any more in the simulation');
      driving = driving.then(() => time.run(time.now() + 20, () => over));
      await driving;
    }
    return promise;
  };

  /** Whoever waits by another clock than the simulation's still takes its steps on the simulated disk. */
  const driven = (folder: LockFolder): LockFolder => ({
    ...folder,
    take: async (owner) => {
      const taken = await drive(folder.take(owner));
      return taken && { ...taken, release: () => drive(taken.release()) };
    },
  });

  const startOther = async () => {
    const process = startProcess(machine, 'another');
    const folder = openLockFolder(state, process, () => chance.between(0.2, 2));
    const lock = createLockOver(folder, process.clock, process.processes);
    let held: HeldLock | undefined;
    const add = async (times: number) => {
      for (let time = 0; time < times; time++) {
        const mine = await lock.acquire();
        const before = guarded;
        await process.later(1, 'the number is written', () => {
          guarded = before + 1;
        });
        if (!mine.isHeld()) throw new Error('lost the lock');
        await mine.release();
      }
    };
    const verbs = {
      acquire: async () => {
        held = await lock.acquire();
        return held.owner;
      },
      isHeld: async () => held?.isHeld() === true,
      release: async () => held?.release(),
      add,
    };
    const ask = (verb: Verbs, times = 1) => drive<unknown>(verbs[verb](times));
    return { ask, ...controlsOf(process) } as Awaited<ReturnType<ContendedLock['process']>>;
  };

  return {
    lock: (clock: Clock) => createLockOver(driven(openLockFolder(state, me, () => 0)), clock, me.processes),
    process: startOther,
    guarded: async () => guarded,
    heartbeat: () =>
      drive(
        new Promise<void>((resolve) => {
          state.onBeat = resolve;
        }),
      ),
  };
}

function controlsOf(process: SimulatedProcess) {
  return {
    stop: async () => process.stop(),
    resume: process.resume,
    kill: async () => process.kill(),
  };
}
