import type { Clients } from './clients.ts';
import type { DiskState } from './disk.ts';
import { grantOf } from './ledger.ts';
import type { SimulatedProcess } from './process.ts';
import { badWeathers, clear } from './weather.ts';
import type { World } from './world.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Where something can be lost, and how likely each passage is to be struck there. */
const dangers = [
  { name: 'a refresh under way', moments: /\(token\)/, probability: 0.006 },
  { name: 'a code being redeemed', moments: /\(code\)/, probability: 0.04 },
  { name: 'a sign-in being prepared', moments: /\(register\)|\(metadata\)|port is bound|browser/, probability: 0.02 },
  { name: 'the disk being written', moments: /draft|flushed/, probability: 0.003 },
  { name: 'the lock', moments: /lock/, probability: 0.001 },
];

export interface Faults {
  /** From here on nothing goes wrong any more. */
  cease(): void;
}

/** Sets a month of mishaps in motion; the seed chooses which, and when. */
export function beginFaults(world: World, clients: Clients): Faults {
  const { time, chance, machine, story, network } = world;
  const { disk } = machine;
  let ceased = false;

  const now = () => time.now();
  const every = (mean: number, act: () => void) => {
    const next = () =>
      time.at(now() + chance.around(mean), () => {
        if (ceased) return;
        act();
        next();
      });
    next();
  };
  const passing = (what: string, duration: number, begin: () => void, end: () => void) => {
    story.tell('FAULT', `${what}, for ${Math.round(duration / second)} s`);
    begin();
    time.at(now() + duration, () => ceased || end());
  };

  const sleepNow = (duration: number) => {
    if (machine.isAsleep()) return;
    passing('the machine sleeps', duration, machine.sleep, machine.wake);
  };
  const victim = (): SimulatedProcess | undefined => {
    const living = machine.living();
    return living.length === 0 ? undefined : chance.pick(living);
  };
  /** Mostly short; sometimes longer than every limit there is. */
  const stopTime = () => chance.pick([2, 7, 40, 40, 70, 100, 700]) * second * chance.between(0.5, 1.2);
  const stop = (process: SimulatedProcess | undefined) => {
    if (!process) return;
    passing(`${process.name} stands still`, stopTime(), process.stop, process.resume);
  };

  /** Everybody wants a token that nobody has: whoever stands still now is in the way. */
  const crowd = async () => {
    await endAccess(world);
    for (const delay of [second, 10 * second, 30 * second, minute]) time.at(now() + delay, callAll);
  };
  const callAll = () => {
    for (const bridge of clients.bridges) if (bridge.process.isRunning()) void clients.call(bridge);
  };

  /** A process dies, stops or falls asleep exactly where it waits for something. */
  machine.strike = (process, moment) => {
    const danger = dangers.find(({ moments }) => moments.test(moment));
    if (ceased || !danger || !chance.happens(danger.probability)) return;
    story.tell('FAULT', `${process.name} is struck ${moment}`);
    world.watch.passes(`processes struck: ${danger.name}`);
    const blow = chance.weighted({ kill: 2, stop: 6, sleep: 2 });
    if (blow === 'kill') process.kill();
    else if (blow === 'stop') stop(process);
    else sleepNow(chance.pick([3 * second, 20 * second, 2 * minute, hour]) * chance.between(0.5, 1.5));
    if (chance.happens(0.4)) void crowd();
    // A disk that fills up in the middle of something.
    if (chance.happens(0.1)) troubleDisk(chance.around(2 * minute));
  };

  const setClock = () => {
    const step = chance.pick([-1, 1]) * chance.around(chance.pick([minute, hour, day]));
    story.tell('FAULT', `the clock is set by ${Math.round(step / second)} s`);
    machine.step(step);
    if (chance.happens(0.8)) time.at(now() + chance.around(hour), () => machine.step(-step));
  };
  const turnWeather = () => {
    if (network.weather !== clear) return;
    const weather = chance.pick(badWeathers);
    const duration = chance.around(chance.pick([minute, 10 * minute, hour]));
    const set = (to: typeof clear) => () => {
      network.weather = to;
    };
    passing(weather.name, duration, set(weather), set(clear));
  };
  const troubleDisk = (duration: number) => {
    if (disk.state !== 'fine') return;
    const state = chance.pick(['full', 'read-only'] as const);
    const set = (to: DiskState) => () => disk.become(to);
    passing(`the disk is ${state}`, duration, set(state), set('fine'));
  };

  every(40 * hour, () => victim()?.kill());
  every(30 * hour, () => stop(victim()));
  every(15 * hour, () => sleepNow(chance.around(chance.pick([20 * second, 5 * minute, hour]))));
  every(5 * day, setClock);
  every(12 * hour, turnWeather);
  every(8 * day, () => troubleDisk(chance.around(chance.pick([minute, hour, 5 * hour]))));
  beginServerFaults(world, every);
  every(25 * day, clients.logout);
  every(15 * day, () => clients.login(false));
  every(20 * day, () => clients.login(true));

  return {
    cease: () => {
      ceased = true;
      story.tell('FAULT', 'nothing goes wrong from here on');
      network.weather = clear;
      disk.become('fine');
      machine.wake();
      for (const process of machine.living()) process.resume();
    },
  };
}

/** Without a word in `expires_in`. Not the tokens of the last quarter of an hour: a server that refuses those is another fault. */
async function endAccess({ time, story, server, ledger }: World): Promise<void> {
  const newest = ledger.issued.at(-1);
  if (newest && time.now() - newest.at < 15 * minute) return;
  story.tell('FAULT', 'the server ends all access tokens');
  await server.grants.endAccessTokens(server.grants.accessTokens());
}

function beginServerFaults(world: World, every: (mean: number, act: () => void) => void): void {
  const { server, story, network, oracle } = world;
  const revoke = async () => {
    story.tell('FAULT', 'the owner disconnects everything');
    for (const grant of await server.grants.list()) {
      oracle.ended(grantOf(`${grant.userId}:${grant.id}`), 'the owner of the workspace disconnected it');
      await server.grants.revoke(grant);
    }
  };
  const forgetClients = async () => {
    story.tell('FAULT', 'the server deletes all registrations');
    await server.grants.deleteClients();
  };
  every(3 * day, () => void endAccess(world));
  every(20 * day, () => void revoke());
  every(25 * day, () => void forgetClients());
  every(5 * day, () => {
    story.tell('FAULT', 'the server is restarted');
    network.cutAll();
  });
}
