import { type Chance, createChance } from '../simulation/chance.ts';
import { requestFaults } from './request-faults.ts';
import type { RequestFault, Upheaval } from './trouble.ts';
import { upheavals } from './upheavals.ts';
import { waits } from './waits.ts';

/** The keyed tools of the embedded upstream: one that may not be called twice, one that may, and one that only reads. */
export type Tool = 'write' | 'overwrite' | 'read';

/** A request that is going to be sent. All times in ms after the first of its episode. */
export interface Planned {
  /** No other request has it. */
  key: string;
  tool: Tool;
  at: number;
  /** How long the tool takes. */
  takes: number;
  /** Bytes that it carries along. */
  ballast: number;
  meets?: RequestFault | undefined;
  /** When the client gives it up; `waiting`: while it waits in the bridge's hands. */
  givenUp?: number | 'waiting' | undefined;
}

/** Requests side by side, and what happens to them. */
export interface Episode {
  upsets: readonly Upset[];
  requests: readonly Planned[];
  /** When the upheavals end. */
  end: number;
}

interface Upset {
  upheaval: Upheaval;
  strikes: readonly number[];
}

/** All that is left to chance in the life of one bridge. What races with what is up to the machine. */
export interface Plan {
  seed: number;
  mode: 'lenient' | 'strict';
  /** Streams have event ids. */
  resumable: boolean;
  episodes: readonly Episode[];
}

/** So many seeds in a row meet every trouble once at least. */
export const seedsForAll = 3;
const sideBySide = 6;
const plainEpisodes = 3;

export function planOf(seed: number): Plan {
  const chance = createChance(seed);
  const share = <T>(troubles: readonly T[]) => troubles.filter((_, index) => (index + seed) % seedsForAll === 0);
  const due = shuffled(share(requestFaults), chance);
  let count = 0;
  const newKey = () => `${seed}-${++count}`;
  const plain = (): Episode => {
    // The troubles of this seed first, so that none is left out.
    const meets = () => due.pop() ?? (chance.happens(0.5) ? chance.pick(requestFaults) : undefined);
    return { upsets: [], requests: several(() => planned(newKey(), meets(), chance)), end: 0 };
  };
  const upset = (upheaval: Upheaval): Episode => {
    const others = upheavals.filter((other) => other.mixes && other !== upheaval);
    // The other one first: a bridge that stands still cannot be prepared for anything.
    const both = chance.happens(0.3) ? [chance.pick(others), upheaval] : [upheaval];
    const meets = () => (chance.happens(0.2) ? chance.pick(requestFaults) : undefined);
    const requests = several(() => planned(newKey(), meets(), chance));
    return { upsets: both.map((one) => striking(one, chance)), requests, end: chance.between(150, 700) };
  };
  const waiting = (wait: Upheaval): Episode => {
    const requests = several(() => ({ ...planned(newKey(), undefined, chance), at: 0 }));
    const givesUp = requests.map((_, index) => index === seed % 2 || (index > 1 && chance.happens(0.5)));
    const given = requests.map(
      (request, index) => ({ ...request, givenUp: givesUp[index] ? 'waiting' : undefined }) as const,
    );
    return { upsets: [{ upheaval: wait, strikes: [] }], requests: given, end: chance.between(0, 100) };
  };
  const episodes = [...several(plain, plainEpisodes), ...share(upheavals).map(upset), ...share(waits).map(waiting)];
  const mode = chance.pick(['lenient', 'strict'] as const);
  return { seed, mode, resumable: chance.happens(0.5), episodes: shuffled(episodes, chance) };
}

function striking(upheaval: Upheaval, chance: Chance): Upset {
  const strikes = several(() => chance.between(0, 150), Math.ceil(chance.between(0, upheaval.strikes ?? 0)));
  return { upheaval, strikes: strikes.sort((one, other) => one - other) };
}

function planned(key: string, meets: RequestFault | undefined, chance: Chance): Planned {
  return {
    key,
    tool: chance.weighted({ write: 6, overwrite: 2, read: 2 }),
    at: chance.happens(0.5) ? 0 : chance.between(0, 150),
    takes: chance.happens(0.6) ? 0 : chance.between(1, 150),
    ballast: chance.happens(0.9) ? 0 : Math.ceil(chance.between(1, 500_000)),
    meets,
    // In the middle of an exchange, or in a pause between two.
    givenUp: chance.happens(0.2) ? chance.between(0, chance.pick([15, 900])) : undefined,
  };
}

function several<T>(make: () => T, count = sideBySide): T[] {
  return Array.from({ length: count }, make);
}

function shuffled<T>(items: readonly T[], chance: Chance): T[] {
  const keyed = items.map((item) => ({ item, order: chance.unit() }));
  return keyed.sort((one, other) => one.order - other.order).map(({ item }) => item);
}
