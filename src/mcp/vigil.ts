import type { Clock } from '../clock.ts';

/** Silence after which a sign of life is asked for, ms (product.md 4). */
const silence = 30_000;

export interface Vigil {
  begin(): void;
  sawBytes(): void;
  end(): void;
}

/** Once upstream has a request, only its answer, cancellation, or a dead upstream ends it (product.md 4). */
export function createVigil(clock: Clock, exchange: AbortController, isAlive: () => Promise<boolean>): Vigil {
  const over = new AbortController();
  let lastBytes = 0;
  const watch = async () => {
    while (!over.signal.aborted) {
      await clock.sleep(silence - (clock.monotonic() - lastBytes), over.signal);
      if (over.signal.aborted || clock.monotonic() - lastBytes < silence) continue;
      if (!(await isAlive()) && !over.signal.aborted) return exchange.abort();
      lastBytes = clock.monotonic();
    }
  };
  const sawBytes = () => {
    lastBytes = clock.monotonic();
  };
  const begin = () => {
    sawBytes();
    void watch();
  };
  return { begin, sawBytes, end: () => over.abort() };
}
