import { backOff, type Clock } from '../clock.ts';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';
import { metaKeys } from './eras.ts';
import type { Delivery } from './exchange.ts';
import type { Hands } from './hands.ts';
import { isRequest, isResponse, type MessageId, notificationLine, type RawMessage, type Request } from './messages.ts';
import { mirroredHeaders } from './mirrored-headers.ts';
import type { StatelessUpstream } from './stateless-upstream.ts';

interface SubscriptionsOptions {
  upstream: StatelessUpstream;
  clock: Clock;
  log: Log;
  random: () => number;
  newHands(cancelled: AbortSignal): Hands;
  send(line: string): Promise<void>;
  /** Passes the response that ends a subscription. */
  passAnswer(message: RawMessage): Promise<void>;
  /** The line that ends a subscription which is refused; nothing for a refusal that may pass. */
  onRefused(
    delivery: Delivery & { kind: 'refused' },
    request: Request,
    cancelled: AbortSignal,
  ): Promise<string | undefined>;
  /** Upstream said that tools, prompts or resources have changed. */
  onListChanged(area: string): void;
  /** A stream was opened again: what was said meanwhile is lost. */
  onReopened(): void;
}

/** The client's `subscriptions/listen` (2026-07-28): each a stream that is open for as long as the client wants it. */
export interface Subscriptions {
  /** Resolves with the line that ends it, or with nothing when it was cancelled or its end was passed on. */
  open(raw: string, request: Request, hands: Hands): Promise<string | undefined>;
  /** Tells whoever listens for it that a list has changed. */
  announce(notification: string): Promise<void>;
  /** Another authorization: every stream is opened anew. */
  restart(): void;
}

interface Subscription {
  id: MessageId;
  wanted: Record<string, unknown>;
  acknowledged: boolean;
  /** Upstream honours none of it, and has said so. */
  isOurs: boolean;
  /** Upstream ended it. */
  ended: boolean;
  /** Aborts when its stream has to be opened anew. */
  again: AbortController;
}

const announcements: Record<string, string> = {
  'notifications/tools/list_changed': 'toolsListChanged',
  'notifications/prompts/list_changed': 'promptsListChanged',
  'notifications/resources/list_changed': 'resourcesListChanged',
};
const acknowledgement = 'notifications/subscriptions/acknowledged';

/** A client waits only so long to hear that its subscription stands, ms. */
const acknowledgedWithin = 3_000;
const firstDelay = 1_000;
/** A stream that lasted this long, ms, was worth opening. */
const worthwhile = 30_000;

export function createSubscriptions(options: SubscriptionsOptions): Subscriptions {
  const { upstream, clock, log, random, newHands, send } = options;
  const open = new Map<MessageId, Subscription>();

  const listen: Subscriptions['open'] = async (raw, request, hands) => {
    const { id, params } = request;
    const wanted = (params?.notifications ?? {}) as Record<string, unknown>;
    const again = new AbortController();
    const subscription: Subscription = { id, wanted, acknowledged: false, isOurs: false, ended: false, again };
    open.set(id, subscription);
    hands.cancelled.addEventListener('abort', () => subscription.again.abort(), { once: true });
    void clock.sleep(acknowledgedWithin, hands.cancelled).then(() => {
      if (open.get(id) === subscription && !hands.cancelled.aborted) void acknowledge(subscription);
    });
    try {
      return await keepOpen(subscription, { raw, request, cancelled: hands.cancelled });
    } finally {
      if (open.get(id) === subscription) open.delete(id);
    }
  };

  const keepOpen = async (
    subscription: Subscription,
    { raw, request, cancelled }: { raw: string; request: Request; cancelled: AbortSignal },
  ): Promise<string | undefined> => {
    for (let attempt = 0, opened = 0; ; attempt++) {
      subscription.again = new AbortController();
      const round = subscription.again.signal;
      if (cancelled.aborted) return undefined;
      const hands = newHands(round);
      const since = clock.monotonic();
      const onMessage = (message: RawMessage) => take(subscription, message, opened > 0);
      const headers = mirroredHeaders(request);
      const post = { raw, answerTo: request.id, resendable: false, hands, onMessage, headers, longLived: true };
      const delivery = await upstream.deliver(post).catch((error): Delivery => {
        return { kind: 'not-sent', why: describe(error) };
      });
      hands.release();
      if (cancelled.aborted || subscription.ended) return undefined;
      const line = delivery.kind === 'refused' && (await options.onRefused(delivery, request, cancelled));
      if (line) return line;
      if (delivery.kind === 'answered' && !subscription.isOurs) return undefined;
      await acknowledge(subscription);
      if (round.aborted || clock.monotonic() - since >= worthwhile) attempt = 0;
      log.debug('a subscription is not served', { outcome: delivery.kind });
      if (delivery.kind === 'answered') await whenAborted(round);
      else if (!round.aborted) await clock.sleep(backOff(attempt, random, firstDelay, longestDelay(delivery)), round);
      opened += 1;
    }
  };

  const take = async (subscription: Subscription, incoming: RawMessage, reopened: boolean) => {
    const { message, raw } = incoming;
    // A request has no place on this stream, and nothing is said any more on one that is cancelled.
    if (isRequest(message) || subscription.again.signal.aborted) return;
    if (isResponse(message)) return subscription.isOurs ? undefined : options.passAnswer(incoming);
    if (message.method === acknowledgement) {
      await takeAcknowledgement(subscription, incoming);
      if (reopened) options.onReopened();
      return;
    }
    const isEnd = message.method === 'notifications/cancelled' && message.params?.requestId === subscription.id;
    if (isEnd) subscription.ended = true;
    await send(raw);
    const changed = /^notifications\/(tools|prompts|resources)\/list_changed$/.exec(message.method ?? '')?.[1];
    if (changed) options.onListChanged(changed);
  };

  /** The client hears it once. Changes of lists are announced by us, too, so they are honoured whatever upstream says. */
  const takeAcknowledgement = async (subscription: Subscription, { raw, message }: RawMessage) => {
    const honoured = (message.params?.notifications ?? {}) as Record<string, unknown>;
    const ours = ownPart(subscription.wanted);
    subscription.isOurs = Object.keys(honoured).length === 0 && Object.keys(ours).length > 0;
    if (subscription.acknowledged) return;
    subscription.acknowledged = true;
    const isWhole = Object.keys(ours).every((name) => honoured[name] === true);
    await send(isWhole ? raw : acknowledgementLine(subscription.id, { ...honoured, ...ours }));
  };

  /** Upstream cannot say so now; the client is told, and what it listens for is remembered (product.md 4). */
  const acknowledge = async (subscription: Subscription) => {
    if (subscription.acknowledged) return;
    subscription.acknowledged = true;
    const { resourceSubscriptions: uris } = subscription.wanted;
    const resources = Array.isArray(uris) && uris.length > 0 ? { resourceSubscriptions: uris } : {};
    await send(acknowledgementLine(subscription.id, { ...ownPart(subscription.wanted), ...resources }));
  };

  const announce = async (notification: string) => {
    const name = announcements[notification] ?? '';
    for (const { id, wanted, acknowledged } of open.values()) {
      if (wanted[name] === true && acknowledged)
        await send(notificationLine(notification, { _meta: { [metaKeys.subscriptionId]: id } }));
    }
  };

  const restart = () => {
    for (const { again } of open.values()) again.abort();
  };

  return { open: listen, announce, restart };
}

/** A sign-in wakes whoever waits for one; a server that is away says nothing when it is back. */
function longestDelay({ kind }: Delivery): number {
  return kind === 'challenged' ? 300_000 : 30_000;
}

function ownPart(wanted: Record<string, unknown>): Record<string, unknown> {
  const names = Object.values(announcements).filter((name) => wanted[name] === true);
  return Object.fromEntries(names.map((name) => [name, true]));
}

function acknowledgementLine(id: MessageId, notifications: Record<string, unknown>): string {
  return notificationLine(acknowledgement, { _meta: { [metaKeys.subscriptionId]: id }, notifications });
}

function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
