import type { Owner } from '../../src/credentials/owner.ts';
import type { CallbackAnswer, LoopbackOptions } from '../../src/oauth/loopback.ts';
import type { Chance } from './chance.ts';
import { createDisk, type Disk } from './disk.ts';
import { createLockState, type LockState } from './lock-state.ts';
import type { SimulatedProcess } from './process.ts';
import type { Story } from './story.ts';
import type { VirtualTime } from './virtual-time.ts';

/** Who listens on a port of the loopback interface. */
export interface Listener {
  process: SimulatedProcess;
  options: LoopbackOptions;
}

/** What a moment may do to the process that it belongs to. */
export type Strike = (process: SimulatedProcess, moment: string) => void;

/** One person's computer: a clock that can be wrong, a disk, ports, processes; and it sleeps. */
export interface Machine {
  readonly time: VirtualTime;
  readonly chance: Chance;
  readonly story: Story;
  readonly disk: Disk;
  readonly lock: LockState;
  readonly processes: SimulatedProcess[];
  readonly ports: Map<number, Listener>;
  /** Called at each point at which a process waits for something: whoever wants to may kill it there. */
  strike: Strike;
  isAsleep(): boolean;
  /** How often it has fallen asleep. */
  naps(): number;
  sleep(): void;
  wake(): void;
  /** What clocks show, ms since the epoch. */
  wall(): number;
  /** Somebody, or NTP, sets the clock. */
  step(ms: number): void;
  /** Time that the machine was awake, ms. */
  monotonic(): number;
  living(): SimulatedProcess[];
  processOf(owner: Owner): SimulatedProcess | undefined;
  /** The browser goes to the loopback redirect. Undefined when nobody listens. */
  redirect(url: URL): Promise<CallbackAnswer | undefined>;
}

export function createMachine(time: VirtualTime, chance: Chance, story: Story): Machine {
  const processes: SimulatedProcess[] = [];
  const ports = new Map<number, Listener>();
  let wrong = 0;
  let sleptSince: number | undefined;
  let slept = 0;
  let naps = 0;

  const redirect = (url: URL) => {
    const listener = ports.get(Number(url.port));
    if (!listener || url.pathname !== '/callback') return Promise.resolve(undefined);
    return new Promise<CallbackAnswer | undefined>((resolve) => {
      listener.process.soon(chance.between(1, 20), 'a redirect comes in', () => {
        listener.options.onCallback(url.searchParams).then(resolve, () => resolve(undefined));
      });
      // The browser waits no longer for a process that died or stands still.
      time.at(time.now() + 120_000, () => resolve(undefined));
    });
  };

  return {
    time,
    chance,
    story,
    processes,
    ports,
    disk: createDisk(story, time.now),
    lock: createLockState(),
    strike: () => undefined,
    isAsleep: () => sleptSince !== undefined,
    naps: () => naps,
    sleep: () => {
      sleptSince ??= time.now();
      naps += 1;
    },
    wake: () => {
      if (sleptSince === undefined) return;
      slept += time.now() - sleptSince;
      sleptSince = undefined;
      for (const process of processes) process.wakeUp();
    },
    wall: () => time.now() + wrong,
    step: (ms) => {
      wrong += ms;
    },
    monotonic: () => (sleptSince ?? time.now()) - slept,
    living: () => processes.filter((process) => process.isAlive()),
    processOf: (owner) => processes.find(({ pid }) => pid === owner.pid),
    redirect,
  };
}
