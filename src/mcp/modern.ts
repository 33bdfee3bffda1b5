import type { Clock } from '../clock.ts';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';
import { anonymousHello, discoverResult } from './answers.ts';
import type { ClientRequests } from './client-requests.ts';
import { firstModern, helloOf, isModernRevision, isRevision, removedMethods, revisionOf, supportedBy } from './eras.ts';
import type { Delivery } from './exchange.ts';
import { type CallOptions, createForwarding } from './forwarding.ts';
import { createHands, type Hands } from './hands.ts';
import { createListAnswers } from './list-answers.ts';
import { type ListCache, listMembers } from './list-cache.ts';
import { createLists } from './lists.ts';
import {
  errorLine,
  isRequest,
  isResponse,
  type Message,
  type RawMessage,
  type Request,
  resultLine,
} from './messages.ts';
import { mirroredHeaders } from './mirrored-headers.ts';
import { completed, unknownMethod, unsupportedLine } from './modern-answers.ts';
import { createRefusals } from './refusals.ts';
import type { StatelessOptions, StatelessUpstream } from './stateless-upstream.ts';
import { createSubscriptions } from './subscriptions.ts';
import { createUpstreamEra } from './upstream-era.ts';

export interface ModernOptions extends CallOptions {
  clock: Clock;
  log: Log;
  random: () => number;
  cache: ListCache;
  version: string;
  /** `--protocol` */
  protocol: string | undefined;
  createStateless(
    callbacks: Pick<StatelessOptions, 'hello' | 'discovered' | 'onVerdict' | 'onAnswered'>,
  ): StatelessUpstream;
  /** The authorization in the record, as it was last read. */
  authorization(): { name: string; connected: boolean };
  readAuthorization(): Promise<void>;
  requests: ClientRequests;
  /** For what waits for us, ms. */
  bound: number;
  send(line: string | Buffer): Promise<void>;
  /** Passes the answer to a request of the client. */
  passAnswer(message: RawMessage): Promise<void>;
  /** The client spoke in this era for the first time, and not only to find out about it. */
  onBegin(hello: Record<string, unknown>): void;
}

/** The client's side of the era without `initialize` (2026-07-28): what is passed through, and what we answer. */
export interface Modern {
  answer(raw: string, request: Request, hands: Hands): Promise<string | undefined> | string;
  /** Passes a notification on. Never throws. */
  passOn(raw: string, message: Message): Promise<void>;
  /** The record's authorization may be another one. */
  follow(): void;
  /** Asks upstream once in a while which era it speaks, on behalf of a client of the other one. */
  askInAWhile(hello: Record<string, unknown>): Promise<void>;
  /** The other era was refused: perhaps this one is what upstream speaks. */
  learn(refusal: Delivery): void;
}

export function createModern(options: ModernOptions): Modern {
  const { clock, log, cache, version, requests, send, passAnswer } = options;
  const era = createUpstreamEra({ cache, clock, log, told: options.protocol });
  let hello: Record<string, unknown> = { ...anonymousHello(version), protocolVersion: firstModern };
  let begun = false;
  let met = false;
  let greeting: Promise<void> | undefined;
  const never = new AbortController().signal;
  const newHands = (cancelled = never) => createHands(clock, options.bound, cancelled);

  const { discovered } = era;
  const upstream = options.createStateless({
    hello: () => hello,
    discovered,
    onVerdict: era.learn,
    // Once, it is asked who it is, as every connection of the other era does.
    onAnswered: () => begun && !met && void greet(),
  });

  const onMessage = async (incoming: RawMessage) => {
    const { message } = incoming;
    // A server of this era asks nothing of the client (2026-07-28, Receiving Messages), which could not answer it.
    if (isRequest(message)) return;
    if (!isResponse(message)) return send(incoming.raw);
    await passAnswer(incoming);
  };

  const subscriptions = createSubscriptions({
    upstream,
    clock,
    log,
    random: options.random,
    newHands,
    send,
    passAnswer,
    onRefused: async (delivery, request, cancelled) => {
      const hands = newHands(cancelled);
      const line = await judge(delivery, request, hands).finally(hands.release);
      return line ?? delivery.raw ?? (delivery.error === undefined ? undefined : errorLine(request.id, delivery.error));
    },
    onListChanged: (area) => void lists.forget(area, upstream.session),
    onReopened: () => void lists.refresh(upstream.session),
  });
  const lists = createLists({
    cache,
    upstream,
    clock,
    hello: () => hello,
    authorization: options.authorization,
    newHands,
    announce: subscriptions.announce,
  });
  const headersOf = (request: Request) =>
    mirroredHeaders(request, request.method === 'tools/call' ? lists.tool(request.params?.name) : undefined);
  const listTools = () => lists.refresh(upstream.session, 'tools/list');
  const judge = createRefusals({ upstream, era, headersOf, listTools });
  const { forward, callTool } = createForwarding({
    ...options,
    upstream,
    lists,
    ready: async () => undefined,
    headersOf,
    onRefused: judge,
  });
  const listAnswers = createListAnswers({
    lists,
    clock,
    random: options.random,
    connect: upstream.connect,
    session: () => upstream.session,
    hello: () => hello,
    newHands,
    isWaiting: (id) => requests.waiting(id) !== undefined,
    passAnswer,
    shownTools: options.shownTools,
    onMessage,
    forward,
  });

  const answer: Modern['answer'] = (raw, request, hands) => {
    const { id, method } = request;
    if (method === 'server/discover') return answerDiscover(request);
    if (era.isModern() === false) return unsupportedLine(id, revisionOf(request));
    if (removedMethods.has(method)) return errorLine(id, unknownMethod);
    begin(request);
    if (method === 'subscriptions/listen') return subscriptions.open(raw, request, hands);
    if (Object.hasOwn(listMembers, method)) {
      // A list that was cached for the account one has just left is none (product.md 5).
      return options.readAuthorization().then(() => listAnswers.answer(raw, request, hands));
    }
    if (method === 'tools/call') return callTool({ raw, request, hands, onMessage });
    return forward({ raw, request, hands, onMessage });
  };

  /** At once, from what is known (P6); -32601 makes the client fall back at once. */
  const answerDiscover = (request: Request): string => {
    if (!era.isModern()) return errorLine(request.id, unknownMethod);
    const result = discoverResult(discovered(), era.revision, version);
    const asked = revisionOf(request);
    const supported = Array.isArray(result.supportedVersions) ? result.supportedVersions.filter(isRevision) : [];
    // A client that says nothing of itself may be told all the same.
    if (asked !== undefined && !supported.includes(asked as string))
      return unsupportedLine(request.id, asked, supported);
    return resultLine(request.id, completed(request.method, result));
  };

  const begin = (request: Request) => {
    hello = helloOf(request);
    if (begun) return;
    begun = true;
    options.onBegin(hello);
  };

  /** Asks upstream who it is, and reads its lists ahead. One at a time. Never throws. */
  const greet = () => {
    met = true;
    greeting ??= meet().finally(() => {
      greeting = undefined;
    });
    return greeting;
  };

  const meet = async () => {
    const hands = newHands();
    try {
      const link = await upstream.connect(hands);
      if (!('kind' in link) && begun) await lists.refresh(link);
    } catch (error) {
      log.warn('could not ask the server for its era', { why: describe(error) });
    } finally {
      hands.release();
    }
  };

  /** Another authorization opens every stream anew, and reads the lists again (product.md 5). */
  const follow = () => {
    const { name, connected } = options.authorization();
    const { authorization: before } = upstream.session;
    if (!begun || before === name) return;
    upstream.renew(name);
    if (before !== undefined) subscriptions.restart();
    if (connected) void greet();
  };

  const askInAWhile = async (asking: Record<string, unknown>) => {
    if (begun || !era.isDue()) return;
    hello = { ...asking, protocolVersion: firstModern };
    await greet();
  };

  const learn = (refusal: Delivery) => {
    const supported = refusal.kind === 'refused' ? supportedBy(refusal.error) : [];
    if (supported.some(isModernRevision)) void era.learn({ result: { supportedVersions: supported } });
  };

  const passOn = async (raw: string, message: Message) => {
    const hands = newHands();
    const post = { raw, resendable: false, hands, headers: mirroredHeaders(message) };
    const delivery = await upstream.deliver(post).catch(() => undefined);
    hands.release();
    if (delivery?.kind !== 'accepted') log.debug('a message could not be passed on', { outcome: delivery?.kind });
  };

  return { answer, passOn, follow, askInAWhile, learn };
}
