export interface Clock {
  /** Milliseconds since the epoch, as the upstream sees them. */
  now(): number;
  /** Moves the upstream's time forward; the process's own clock is left alone. */
  advance(ms: number): void;
}

/** Runs with the wall clock, ahead of it by everything that was advanced, so that real clients can take part. */
export function createClock(): Clock {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`could not advance the clock by ${ms} ms`);
      ahead += ms;
    },
  };
}
