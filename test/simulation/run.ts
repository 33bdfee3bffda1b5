import { createChance } from './chance.ts';
import { type Clients, createClients } from './clients.ts';
import { beginFaults } from './faults.ts';
import { createServer, type Rotation, type SimulatedServer } from './server.ts';
import { createStory } from './story.ts';
import { createVirtualTime } from './virtual-time.ts';
import type { Figures } from './watch.ts';
import { installSettledCrypto } from './web-crypto.ts';
import { createWorld, type World } from './world.ts';

export interface RunOptions {
  seed: number;
  rotation: Rotation;
  days: number;
  /** Processes that run side by side. */
  bridges: number;
  /** Keep the story: it costs time. */
  tell?: boolean;
}

export interface RunResult {
  violations: string[];
  figures: Figures;
  story: string[];
}

const start = Date.UTC(2026, 0, 5);
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** One person's weeks with the bridge, by the seed. */
export async function runSimulation(options: RunOptions): Promise<RunResult> {
  const chance = createChance(options.seed);
  const crypto = installSettledCrypto(chance.bytes);
  try {
    let server: SimulatedServer | undefined;
    const settled = async () => {
      do await crypto.settled();
      while (server?.isBusy());
    };
    const time = createVirtualTime(start, settled);
    const lifetimes = {
      accessToken: chance.pick([3_600, 3_600, 3_600, 8 * 3_600, 900]),
      grant: chance.pick([30, 30, 7]) * 24 * 3_600,
      registration: chance.pick([90, 90, 5]) * 24 * 3_600,
    };
    server = await createServer(time, options.rotation, lifetimes);
    const story = createStory(time.now, start, options.tell ?? false);
    const world = createWorld({ time, chance, story, server });
    const end = start + options.days * day;
    const clients = createClients(world);
    live(world, clients, { end, bridges: options.bridges });
    const faults = beginFaults(world, clients);
    await time.run(end, () => world.watch.violations.length > 0);
    faults.cease();
    if (world.watch.violations.length === 0) await recover(world, clients);
    return { violations: world.watch.violations, figures: world.watch.figures, story: story.lines() };
  } finally {
    crypto.uninstall();
  }
}

/** Clients are started and closed, work in the day, and are left alone in the night. */
function live({ time, chance, machine }: World, clients: Clients, { end, bridges }: { end: number; bridges: number }) {
  const isDay = () => (time.now() - start) % day < 11 * hour;
  const whenAwake = (delay: number, act: () => void) => {
    const look = () => {
      if (time.now() >= end) return;
      if (machine.isAsleep()) time.at(time.now() + 5 * minute, look);
      else act();
    };
    time.at(time.now() + delay, look);
  };

  const occupy = () => {
    const bridge = clients.start();
    const isLazy = chance.happens(0.3);
    const work = () => {
      if (!bridge.process.isAlive()) return;
      if (isDay() && bridge.process.isRunning()) void clients.call(bridge);
      whenAwake(chance.around(isLazy ? 8 * hour : 50 * minute), work);
    };
    whenAwake(chance.around(minute), work);
    bridge.process.onDeath(() => whenAwake(chance.around(10 * minute), occupy));
    whenAwake(chance.around(4 * day), () => void bridge.exit());
  };
  for (let slot = 0; slot < bridges; slot++) whenAwake(chance.around(minute), occupy);

  // Clients start copies of us to look at them, and drop them (clients.md).
  const probe = () => {
    const { process, exit } = clients.start();
    whenAwake(chance.around(5 * second), () => (chance.happens(0.5) ? process.kill() : void exit()));
    whenAwake(chance.around(day), probe);
  };
  whenAwake(chance.around(day), probe);

  // Everything wants a token at the same time.
  const together = () => {
    for (const bridge of clients.bridges) if (bridge.process.isRunning()) void clients.call(bridge);
    whenAwake(chance.around(day), together);
  };
  whenAwake(chance.around(day), together);

  const night = () => {
    if (!machine.isAsleep() && chance.happens(0.9)) {
      machine.story.tell('person', 'closes the lid for the night');
      machine.sleep();
      time.at(time.now() + chance.between(8, 13) * hour, machine.wake);
    }
    if (time.now() + day < end) time.at(time.now() + day, night);
  };
  time.at(start + 11 * hour, night);
}

/** After the last fault every process works again, without a restart. */
async function recover(world: World, clients: Clients): Promise<void> {
  const { time, person, watch } = world;
  person.becomeCooperative();
  await time.run(time.now() + 30 * minute);
  if (clients.bridges.size === 0) clients.start();
  let troubled: string[] = [];
  const grant = world.record()?.grant;
  const livedOn = world.record()?.state === 'connected' && grant && world.oracle.rescue(grant) !== undefined;
  for (let round = 0; round < 7; round++) {
    // The links may lead to a client that the server has forgotten: the person does what the hints say.
    if (round === 2) for (const bridge of clients.bridges) void bridge.connect();
    if (round === 4) clients.login(false);
    const results = [...clients.bridges].map(async (bridge) => ({ bridge, result: await clients.call(bridge) }));
    let answered: Awaited<(typeof results)[number]>[] | undefined;
    void Promise.all(results).then((all) => {
      answered = all;
    });
    await time.run(time.now() + 15 * minute);
    if (!answered) return watch.broken('a call was not answered within 15 minutes although nothing was wrong (P6)');
    troubled = answered.flatMap(({ bridge, result }) =>
      result.kind === 'answered' ? [] : [`${bridge.process.name}: ${result.code}`],
    );
    if (troubled.length === 0) break;
    if (round === 0 && livedOn) watch.broken(`the first calls did not work again: ${troubled.join(', ')} (P7)`);
  }
  if (troubled.length > 0) watch.broken(`did not recover after the last fault: ${troubled.join(', ')} (P7)`);
  watch.end();
}
