import { type Call, giveUp, makeCall, within } from './call.ts';
import { type Fate, fateOf } from './fate.ts';
import { type Episode, type Plan, type Planned, planOf } from './plan.ts';
import type { Course, Upheaval } from './trouble.ts';
import { keyOf, World } from './world.ts';

export interface Played {
  seed: number;
  fates: Fate[];
  /** What was promised and did not hold, in sentences. */
  broken: string[];
  story: string[];
}

/** A run takes a few seconds; one that takes longer than this hangs, ms. */
const limit = 300_000;

/** The life of one bridge, with all that chance holds for it. */
export async function play(seed: number): Promise<Played> {
  const plan = planOf(seed);
  const world = await World.open(plan);
  const made: Made[] = [];
  const end = await within(playAll(world, plan, made), limit).catch((error: Error) => String(error.stack));
  const broken = end === 'played' ? [] : [`it did not come to its end: ${end ?? 'it hangs'}`];
  const fates = made.map(({ call, upheavals }) => fateOf(world, call, upheavals));
  const story = [...world.story(), world.peer.stderr()];
  await world.close();
  return { seed, fates, broken: [...broken, ...fates.flatMap((fate) => fate.broken)], story };
}

interface Made {
  call: Call;
  upheavals: readonly Upheaval[];
}

async function playAll(world: World, { seed, episodes }: Plan, made: Made[]): Promise<'played'> {
  for (const [nth, episode] of episodes.entries()) {
    const upheavals = episode.upsets.map(({ upheaval }) => upheaval);
    world.tell(`--- ${upheavals.map(({ title }) => title).join(', and ') || 'faults that meet single calls'}`);
    const calls = await playEpisode(world, episode);
    made.push(...calls.map((call) => ({ call, upheavals })));
    // After any fault the very next call works (P7).
    made.push({ call: await makeCall(world, afterwards(seed, nth), performance.now()), upheavals: [] });
  }
  // So that whatever may still come of them has come.
  await world.read();
  await world.arrived();
  return 'played';
}

async function playEpisode(world: World, { upsets, requests, end }: Episode): Promise<Call[]> {
  const { upstream } = world;
  for (const { key, meets } of requests) {
    if (meets) upstream.faults.next('mcp', meets.fault, { when: (entry) => keyOf(entry) === key });
  }
  const keys = requests.map(({ key }) => key);
  const courses: { course: Course; strikes: readonly number[] }[] = [];
  for (const { upheaval, strikes } of upsets) courses.push({ course: await upheaval.begin(world, keys), strikes });
  const since = performance.now();
  const calling = requests.map((request) => ({ request, call: makeCall(world, request, since) }));
  // A bridge that ends is told of below.
  for (const { call } of calling) call.catch(() => undefined);
  await Promise.all(courses.map((one) => strikeAll(world, one, since)));
  for (const { course } of courses) {
    if (!course.waiting) continue;
    await course.waiting();
    world.tell('all of them wait');
    const given = calling.filter(({ request }) => request.givenUp === 'waiting');
    await Promise.all(given.map(async ({ call }) => giveUp(world, await call)));
  }
  await world.until(end, performance.now());
  for (const { course } of courses) await course.end?.();
  world.tell('it ends');
  const calls = await Promise.all(calling.map(({ call }) => call));
  upstream.faults.clear();
  upstream.connections.clear();
  return calls;
}

async function strikeAll(world: World, upset: { course: Course; strikes: readonly number[] }, since: number) {
  for (const strike of upset.strikes) {
    await world.until(strike, since);
    world.tell('it strikes');
    await upset.course.strike?.();
  }
}

function afterwards(seed: number, nth: number): Planned {
  return { key: `${seed}-then-${nth + 1}`, tool: 'write', at: 0, takes: 0, ballast: 0 };
}
