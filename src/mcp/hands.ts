import type { Clock } from '../clock.ts';

/**
 * Who a request waits for (product.md 4). Time counts only while it waits for us; when its bound is used up, or the
 * client cancels, it is dropped and never sent later (P8).
 */
export interface Hands {
  /** Aborts when the bound is used up, or the client cancels. */
  readonly signal: AbortSignal;
  /** Aborts only when the client cancels. */
  readonly cancelled: AbortSignal;
  /** True while upstream has it. */
  readonly isUpstream: boolean;
  /** How much longer it may wait for us, ms. */
  readonly left: number;
  /** Upstream has it now. */
  pass(): void;
  /** It is ours again. */
  take(): void;
  /** The client gave it up: it is not sent any more, while upstream, if that has it, is being told. */
  drop(): void;
  release(): void;
}

/** `bound` in ms. */
export function createHands(clock: Clock, bound: number, cancelled: AbortSignal): Hands {
  const over = new AbortController();
  let left = bound;
  let timer: AbortController | undefined;
  let since = 0;

  const pass = () => {
    if (!timer) return;
    timer.abort();
    timer = undefined;
    left -= clock.monotonic() - since;
  };
  const take = () => {
    if (timer || over.signal.aborted) return;
    const mine = new AbortController();
    timer = mine;
    since = clock.monotonic();
    void clock.sleep(Math.max(0, left), mine.signal).then(() => {
      if (!mine.signal.aborted) over.abort();
    });
  };
  const drop = () => {
    pass();
    over.abort();
  };
  if (cancelled.aborted) drop();
  else cancelled.addEventListener('abort', drop, { once: true });
  take();
  const release = () => {
    pass();
    cancelled.removeEventListener('abort', drop);
  };
  return {
    signal: over.signal,
    cancelled,
    get left() {
      return timer ? left - (clock.monotonic() - since) : left;
    },
    get isUpstream() {
      return timer === undefined && !over.signal.aborted;
    },
    pass,
    take,
    drop,
    release,
  };
}
