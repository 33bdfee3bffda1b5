import { createHash } from 'node:crypto';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Everything that happens by chance in one run, all from one seed. */
export interface Chance {
  /** In [0, 1). */
  unit(): number;
  /** True with this probability. */
  happens(probability: number): boolean;
  between(low: number, high: number): number;
  /** A waiting time around `mean` (exponential), as independent events have it. */
  around(mean: number): number;
  pick<T>(from: readonly T[]): T;
  /** One of the names, by weight. */
  weighted<T extends string>(weights: Record<T, number>): T;
  bytes(view: Uint8Array): void;
}

export function createChance(seed: number): Chance {
  // Neighbouring seeds would begin alike.
  const generator = xoroshiro128plus(createHash('sha256').update(String(seed)).digest().readInt32LE());
  const unit = () => (generator.next() >>> 0) / 2 ** 32;
  return {
    unit,
    happens: (probability) => unit() < probability,
    between: (low, high) => low + unit() * (high - low),
    around: (mean) => -Math.log(1 - unit()) * mean,
    pick: (from) => {
      const picked = from[Math.floor(unit() * from.length)];
      if (picked === undefined) throw new RangeError('could not pick from nothing');
      return picked;
    },
    weighted: (weights) => {
      const entries = Object.entries(weights) as [keyof typeof weights, number][];
      let left = unit() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) {
        left -= weight;
        if (left < 0) return name;
      }
      throw new RangeError('could not choose by weights of nothing');
    },
    bytes: (view) => {
      for (let index = 0; index < view.length; index++) view[index] = generator.next() & 255;
    },
  };
}
