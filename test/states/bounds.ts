/** When a client gets its answer (product.md 4). */
export type Bound =
  /** Nobody is asked: ours to answer in any state. */
  | 'at once'
  /** As soon as the servers have said what they have to say, be it no. */
  | 'without a wait'
  /** A list that did not come: the cached one. */
  | 'after 3 s'
  /** A person who does not approve: our own tool in the place of a list. */
  | 'after 8 s'
  /** The same, in the tab of a reconnect. */
  | 'after 10 s'
  /** The same, at the first sign-in. */
  | 'after 45 s'
  /** What waits for us: a refresh, the network, a back-off. */
  | 'within 30 s'
  /** What upstream has, and what waits for upstream to come back: once that happens, and not before. */
  | 'when upstream goes on';

const waits: Partial<Record<Bound, number>> = { 'after 3 s': 3, 'after 8 s': 8, 'after 10 s': 10, 'after 45 s': 45 };

/** Far more than any of it takes, s: it tells what waits for a person from what does not. */
const noWait = 7;
/** For a busy machine, s. */
const spare = 15;

export interface Arrival {
  bound: Bound;
  /** Seconds. */
  took: number;
  /** Upstream goes on, by now. */
  released: boolean;
}

/** The bound that was kept, or what came instead. */
export function boundOf({ bound, took, released }: Arrival): string {
  return isKept({ bound, took, released }) ? bound : `after ${took.toFixed(1)} s${released ? ', released' : ''}`;
}

function isKept({ bound, took, released }: Arrival): boolean {
  if (bound === 'when upstream goes on') return released;
  if (released) return false;
  if (bound === 'within 30 s') return took < 30 + spare;
  const wait = waits[bound];
  // A timer may be a moment early by another clock.
  return wait === undefined ? took < noWait : took > wait - 0.1 && took < wait + spare;
}

/** Side by side, who waits for less is answered first, however busy the machine is. */
export function isInOrder(arrivals: readonly { bound: Bound }[]): boolean {
  const ranks = arrivals
    .filter(({ bound }) => bound !== 'within 30 s' && bound !== 'when upstream goes on')
    .map(({ bound }) => waits[bound] ?? 0);
  return ranks.every((rank, nth) => nth === 0 || rank >= (ranks[nth - 1] as number));
}
