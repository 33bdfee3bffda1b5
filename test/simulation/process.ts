import type { Clock } from '../../src/clock.ts';
import type { Owner, Processes } from '../../src/credentials/owner.ts';
import type { Machine } from './machine.ts';

/** A process as the kernel sees it: it runs, is stopped, sleeps with its machine, or is dead. */
export interface SimulatedProcess {
  readonly pid: number;
  readonly name: string;
  readonly clock: Clock;
  readonly processes: Processes;
  isAlive(): boolean;
  /** Alive, and neither stopped nor asleep. */
  isRunning(): boolean;
  /** Happens in this process after `delay`; not before it runs again, and never once it is dead. */
  soon(delay: number, moment: string, run: () => void): void;
  /** The same, with a result for code that waits. The process may be struck before and after `effect`. */
  later<T>(delay: number, moment: string, effect: () => T): Promise<T>;
  kill(): void;
  /** It ends by itself. */
  exit(): void;
  wasKilled(): boolean;
  stop(): void;
  /** How often it has been stopped. */
  stops(): number;
  /** How long it has been stopped since then, at most, without a chance to store anything in between, ms. */
  longestStop(since: number): number;
  resume(): void;
  /** The machine woke up. */
  wakeUp(): void;
  /** It ended by itself, when the disk had taken nothing for as long as it tries at its end. */
  endedInTrouble(): boolean;
  onDeath(listener: () => void): void;
}

interface Waiting {
  /** Monotonic time at which a timer is due; arrivals from outside have none. */
  due?: number;
  moment: string;
  run: () => void;
}

interface Standstill {
  from: number;
  to: number;
}

/** Too short for a lock and two writes, ms. */
const moment = 100;

/** A process whose client is gone does not wait for a disk for ever, ms (src/sign-in-callback.ts, src/refresh-flight.ts). */
const lastTries = 9_000;

/** No timer of Node.js can be set for longer; it would fire at once. */
const longestTimer = 2 ** 31 - 1;

export function startProcess(machine: Machine, name: string): SimulatedProcess {
  const { time, story } = machine;
  const pid = 1_000 + machine.processes.length;
  let alive = true;
  let killed = false;
  let inTrouble = false;
  let stopped = false;
  let stoppedSince = 0;
  let stops = 0;
  const stands: Standstill[] = [];
  let nonces = 0;
  let held: Waiting[] = [];
  const mourners: (() => void)[] = [];
  const isRunning = () => alive && !stopped && !machine.isAsleep();

  const begin = (waiting: Waiting) => {
    if (!alive) return;
    if (!isRunning()) return void held.push(waiting);
    // Timers stand still while the machine sleeps.
    const left = waiting.due === undefined ? 0 : waiting.due - machine.monotonic();
    if (left > 0) return time.at(time.now() + left, () => begin(waiting));
    waiting.run();
  };

  /** Node.js runs the timers that are due before it looks at what came in from outside. */
  const goOn = () => {
    if (!isRunning()) return;
    const due = held.filter((one) => one.due !== undefined).sort((one, other) => Number(one.due) - Number(other.due));
    const arrived = held.filter((one) => one.due === undefined);
    held = [];
    for (const waiting of [...due, ...arrived]) time.at(time.now(), () => begin(waiting));
  };

  const end = (how: string) => {
    if (!alive) return;
    story.tell(name, how);
    alive = false;
    held = [];
    for (const [port, listener] of machine.ports) if (listener.process === self) machine.ports.delete(port);
    for (const mourn of mourners) mourn();
  };

  const soon: SimulatedProcess['soon'] = (delay, moment, run) =>
    time.at(time.now() + delay, () => begin({ moment, run }));

  const sleep: Clock['sleep'] = (ms, signal) => {
    if (Number.isNaN(ms) || ms > longestTimer) throw new RangeError(`could not sleep for ${ms} ms`);
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const due = machine.monotonic() + Math.max(1, ms);
      let over = false;
      const done = () => {
        if (over) return;
        over = true;
        signal?.removeEventListener('abort', done);
        resolve();
      };
      signal?.addEventListener('abort', done);
      const run = () => {
        if (!over) done();
      };
      time.at(time.now() + Math.max(1, ms), () => over || begin({ due, moment: 'a timer', run }));
    });
  };

  const self: SimulatedProcess = {
    pid,
    name,
    clock: { now: machine.wall, monotonic: machine.monotonic, sleep },
    processes: {
      newOwner: (): Owner => ({ nonce: `${pid}-${nonces++}`, pid, place: 'here' }),
      isGone: (owner) => !machine.processOf(owner)?.isAlive(),
      isElsewhere: () => false,
      mayAnswer: (owner) => owner.pid !== pid && machine.processOf(owner)?.isAlive() === true,
    },
    isAlive: () => alive,
    isRunning,
    soon,
    later: (delay, moment, effect) =>
      new Promise((resolve, reject) => {
        const act = () => {
          try {
            const value = effect();
            machine.strike(self, `after: ${moment}`);
            begin({ moment, run: () => resolve(value) });
          } catch (error) {
            reject(error);
          }
        };
        soon(delay, moment, () => {
          machine.strike(self, `before: ${moment}`);
          begin({ moment, run: act });
        });
      }),
    kill: () => {
      if (!alive) return;
      killed = true;
      end('is killed');
    },
    exit: () => {
      inTrouble = machine.disk.refusedAll(time.now() - lastTries, time.now());
      end('ends');
    },
    endedInTrouble: () => inTrouble,
    wasKilled: () => killed,
    stop: () => {
      if (!alive || stopped) return;
      story.tell(name, 'is stopped');
      stopped = true;
      stoppedSince = time.now();
      stops += 1;
    },
    stops: () => stops,
    longestStop: (since) => {
      let longest = 0;
      let last = { to: Number.NEGATIVE_INFINITY, stopped: 0 };
      for (const { from, to } of stopped ? [...stands, { from: stoppedSince, to: time.now() }] : stands) {
        if (to <= since) continue;
        const hadChance = from - last.to >= moment && !machine.disk.refusedAll(last.to, from);
        last = { to, stopped: to - from + (hadChance ? 0 : last.stopped) };
        longest = Math.max(longest, last.stopped);
      }
      return longest;
    },
    resume: () => {
      if (!alive || !stopped) return;
      story.tell(name, 'goes on');
      stopped = false;
      stands.push({ from: stoppedSince, to: time.now() });
      goOn();
    },
    wakeUp: goOn,
    onDeath: (listener) => void mourners.push(listener),
  };
  machine.processes.push(self);
  story.tell(name, `starts with pid ${pid}`);
  return self;
}
