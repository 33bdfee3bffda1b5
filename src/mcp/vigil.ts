import type { Clock } from '../clock.ts';

/** Silence after which a sign of life is asked for, ms (product.md 4). */
const silence = 30_000;

export interface Vigil {
  begin(): void;
  sawBytes(): void;
  /** While we wait for this, the client perhaps, nobody listens to upstream, and its silence says nothing. */
  unheeded<T>(wait: Promise<T>): Promise<T>;
  end(): void;
}

/** Once upstream has a request, only its answer, cancellation, or a dead upstream ends it (product.md 4). */
export function createVigil(clock: Clock, exchange: AbortController, isAlive: () => Promise<boolean>): Vigil {
  const over = new AbortController();
  let lastBytes = 0;
  let waits = 0;
  const isQuiet = () => waits === 0 && clock.monotonic() - lastBytes >= silence;
  const watch = async () => {
    while (!over.signal.aborted) {
      const left = silence - (clock.monotonic() - lastBytes);
      await clock.sleep(waits > 0 ? silence : left, over.signal);
      if (over.signal.aborted || !isQuiet()) continue;
      const died = !(await isAlive());
      // What came meanwhile on the connection of the request is a sign of life, too.
      if (died && isQuiet() && !over.signal.aborted) return exchange.abort();
      sawBytes();
    }
  };
  const sawBytes = () => {
    lastBytes = clock.monotonic();
  };
  const begin = () => {
    sawBytes();
    void watch();
  };
  const unheeded = async <T>(wait: Promise<T>) => {
    waits += 1;
    try {
      return await wait;
    } finally {
      waits -= 1;
      sawBytes();
    }
  };
  return { begin, sawBytes, unheeded, end: () => over.abort() };
}
