/** How often everything is done. */
export interface Plan {
  /** Spawns of each subject. */
  starts: number;
  /** Rounds of everything that runs on connections that stay. */
  rounds: number;
  /** Rounds before them that do not count. */
  warmUps: number;
  /** Calls of a round, one at a time, by the size of the result. */
  calls: Record<Size, number>;
  /** Calls of a round with 32 in flight. */
  inFlight: Record<'small' | 'large', number>;
  /** Calls of a round that report progress, and how often each does. */
  reports: { calls: number; times: number };
  /** Calls between two looks at the memory, and how often that is repeated with a new process. */
  memory: { rounds: number; small: number; large: number };
  /** What a process is left alone for before its memory is looked at, ms. */
  quiet: number;
}

export const sizes = { small: 1024, medium: 100 * 1024, large: 1024 * 1024 } as const;
export type Size = keyof typeof sizes;
export const inWords: Record<Size, string> = { small: '1 KB', medium: '100 KB', large: '1 MB' };

export const full: Plan = {
  starts: 20,
  rounds: 10,
  warmUps: 1,
  calls: { small: 200, medium: 100, large: 40 },
  inFlight: { small: 960, large: 128 },
  reports: { calls: 5, times: 1_000 },
  memory: { rounds: 3, small: 10_000, large: 1_000 },
  quiet: 1_000,
};

/** Shows that everything can be measured; its figures say little. */
export const short: Plan = {
  starts: 1,
  rounds: 1,
  warmUps: 0,
  calls: { small: 10, medium: 5, large: 3 },
  inFlight: { small: 32, large: 32 },
  reports: { calls: 1, times: 100 },
  memory: { rounds: 1, small: 50, large: 5 },
  quiet: 50,
};
