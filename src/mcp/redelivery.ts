import { backOff, type Clock, longestAbsence } from '../clock.ts';
import type { Http } from '../http.ts';
import type { Post } from './authorized-exchange.ts';
import { supportedBy } from './eras.ts';
import type { Delivery } from './exchange.ts';

interface RedeliveryOptions {
  http: Http;
  clock: Clock;
  random: () => number;
}

const mostRounds = 32;

/** Attempts, and attempts again by evidence (product.md 8), until the request is done, given up, or out of time. */
export function createRedelivery({ http, clock, random }: RedeliveryOptions) {
  const waitBefore = (delivery: Delivery, round: number): number => {
    if (delivery.kind === 'session-gone' || delivery.kind === 'refused') return 0;
    if (delivery.kind === 'not-sent') http.closeIdle();
    const asked = delivery.kind === 'busy' ? delivery.retryAfter : undefined;
    const most = delivery.kind === 'not-sent' ? longestAbsence : undefined;
    return Math.max(asked ?? 0, backOff(round, random, undefined, most));
  };

  return async function deliver(post: Post, attempt: () => Promise<Delivery>): Promise<Delivery> {
    const { hands } = post;
    let fruitless = 0;
    for (let round = 0; ; round++) {
      const delivery = await attempt();
      if (hands.cancelled.aborted) return { kind: 'cancelled' };
      if (round >= mostRounds || hands.signal.aborted || !maySendAgain(delivery, post)) return delivery;
      const wait = waitBefore(delivery, round);
      // Once more may find a server that came back; a dead one would keep a read waiting for ever (P6).
      const isFruitless = delivery.kind === 'refused' || (delivery.kind === 'ambiguous' && delivery.silent);
      if (isFruitless && ++fruitless > 1) return delivery;
      // Waiting for what cannot come in time helps nobody.
      if (delivery.kind === 'busy' && wait >= hands.left) return delivery;
      await clock.sleep(wait, hands.signal);
      if (hands.signal.aborted) return delivery;
    }
  };
}

/** Allowed when upstream surely did not act; after an ambiguous failure only where sending twice does no harm (P8). */
function maySendAgain(delivery: Delivery, post: Post): boolean {
  switch (delivery.kind) {
    case 'session-gone':
      return post.epoch === undefined;
    case 'busy':
      return true;
    case 'not-sent':
      return !delivery.untrusted;
    case 'ambiguous':
      return post.resendable;
    case 'refused':
      return (delivery.taken === true && post.resendable) || offersTheSame(delivery, post);
    default:
      return false;
  }
}

/**
 * It refuses a revision and names it among those that it takes. A client goes on in one that is named (2026-07-28, Protocol
 * Version Negotiation), but most look for it in the answer to `server/discover` alone, which is ours.
 */
function offersTheSame(delivery: Delivery & { kind: 'refused' }, { headers }: Post): boolean {
  const spoken = headers?.['mcp-protocol-version'];
  return spoken !== undefined && supportedBy(delivery.error).includes(spoken);
}
