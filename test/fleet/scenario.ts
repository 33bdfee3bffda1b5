import { Fleet } from '../support/fleet.ts';
import type { Member } from '../support/fleet-member.ts';
import type { Make } from '../support/fleet-server.ts';
import type { UpstreamOptions } from '../support/upstream/upstream.ts';

/** How long things take, ms: long enough to show it in `npm test`, and in full in `npm run fleet`. */
export interface Pace {
  /** Steady calls, where nothing else sets the time. */
  steady: number;
  /** SIGSTOP to SIGCONT: longer than the 5 s after which a lock without a heartbeat is stale (product.md 5). */
  stop: number;
  /** How long a slow token endpoint takes. */
  slow: number;
  /** How long the server is away. */
  outage: number;
  /** How long the person leaves the tab alone. */
  away: number;
  /** How often everybody is suspended. */
  suspensions: number;
  /** A scenario that takes longer hangs. */
  limit: number;
}

export const short: Pace = {
  steady: 7_000,
  stop: 6_500,
  slow: 3_000,
  outage: 2_000,
  away: 2_000,
  suspensions: 1,
  limit: 55_000,
};

export const full: Pace = {
  steady: 60_000,
  stop: 40_000,
  slow: 20_000,
  outage: 20_000,
  away: 180_000,
  suspensions: 30,
  limit: 300_000,
};

/** One thing that happens to six bridges on one store, and what is promised of it. */
export interface Scenario {
  title: string;
  makes: readonly Make[];
  upstream?: UpstreamOptions;
  /** Nobody has signed in, and nothing was spawned. */
  fromNothing?: true;
  /** It lasts longer than `npm test` can wait. */
  fullOnly?: true;
  /** It takes root, or what else may mount a file system. */
  needsMount?: true;
  /** How often it is played; once by default. */
  times?: (pace: Pace, make: Make) => number;
  /** Tabs in the end: 1, that of the first sign-in, unless the server ended the grant. */
  tabs?: (make: Make) => number;
  play(fleet: Fleet, pace: Pace): Promise<void>;
}

export const both: readonly Make[] = ['lenient', 'strict'];
export const all: readonly Make[] = ['lenient', 'strict', 'of another make'];

export type Report = ReturnType<Fleet['counts']> & {
  title: string;
  make: Make;
  /** What was promised and did not hold; empty is what everybody wants. */
  broken: string[];
};

/** Plays a scenario once, on a fleet of its own, and judges it. */
export async function perform(scenario: Scenario, make: Make, pace: Pace): Promise<Report> {
  const fleet = await Fleet.open(make, scenario.upstream);
  const hung = new AbortController();
  const limit = setTimeout(() => hung.abort(), pace.limit);
  try {
    const broken = await Promise.race([playThrough(fleet, scenario, pace), hangs(hung.signal)]).catch((error) => [
      `the scenario did not come to its end: ${error instanceof Error ? error.stack : error}`,
    ]);
    return { title: scenario.title, make, ...fleet.counts(), broken: [...broken, ...fleet.broken()] };
  } finally {
    clearTimeout(limit);
    await fleet.close();
  }
}

async function playThrough(fleet: Fleet, scenario: Scenario, pace: Pace): Promise<string[]> {
  if (!scenario.fromNothing) await signIn(fleet, await fleet.spawn());
  await scenario.play(fleet, pace);
  // All of them work in the end, without a restart (P7).
  await fleet.everybody();
  // The last call may have begun a refresh in the background.
  await fleet.recordWith(({ refreshUnderWay: mark }) => mark === undefined || mark.outcome !== undefined);
  const { tabs, refreshes, expiries, tokenFaults } = fleet.counts();
  const { state, refreshUnderWay, pendingSignIn } = (await fleet.home.record()) ?? {};
  const expected = scenario.tabs?.(fleet.make) ?? 1;
  return [
    ...(tabs === expected ? [] : [`${tabs} tabs opened instead of ${expected}`]),
    ...(refreshes <= expiries + tokenFaults
      ? []
      : [`${refreshes} refreshes for ${expiries} expiries and ${tokenFaults} faults of the token endpoint`]),
    ...(state === 'connected' ? [] : [`the record says ${state}`]),
    ...(refreshUnderWay ? ['the record still has a refresh under way'] : []),
    ...(pendingSignIn ? ['the record still has a pending sign-in'] : []),
  ];
}

/** The first sign-in: one tab, which the person approves. */
export async function signIn(fleet: Fleet, [first]: Member[]): Promise<void> {
  if (!first) throw new Error('somebody has to be spawned before anybody can sign in');
  // A first sign-in is waited for up to 45 s (product.md 4).
  const call = fleet.call(first, { bound: 55_000 });
  await fleet.approve(1);
  await call;
  await fleet.everybody();
}

async function hangs(hung: AbortSignal): Promise<never> {
  await new Promise((resolve) => hung.addEventListener('abort', resolve));
  throw new Error('it hangs');
}
