import TinyQueue from 'tinyqueue';

interface Event {
  at: number;
  order: number;
  run: () => void;
}

/** The true time of a simulated world, ms since the epoch. It passes from event to event. */
export interface VirtualTime {
  now(): number;
  /** What is due at the same time happens in the order in which it was asked for. */
  at(time: number, run: () => void): void;
  /** Runs one event after the other, and all that follows from it, until `over` holds or `end` is reached. */
  run(end: number, over?: () => boolean): Promise<void>;
}

/** `settled` resolves when everything that an event has set off waits for another event. */
export function createVirtualTime(start: number, settled: () => Promise<void>): VirtualTime {
  const queue = new TinyQueue<Event>([], (one, other) => one.at - other.at || one.order - other.order);
  let now = start;
  let order = 0;
  return {
    now: () => now,
    at: (time, run) => {
      if (!Number.isFinite(time)) throw new RangeError(`could not plan an event for ${time}`);
      queue.push({ at: Math.max(now, time), order: order++, run });
    },
    run: async (end, over = () => false) => {
      await settled();
      while (!over()) {
        const next = queue.peek();
        if (!next || next.at > end) break;
        queue.pop();
        now = next.at;
        next.run();
        await settled();
      }
      if (!over()) now = Math.max(now, end);
    },
  };
}
