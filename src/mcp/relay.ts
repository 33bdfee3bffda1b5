import { createDeadline, untilAborted } from '../clock.ts';
import { describe } from '../errors.ts';
import { anonymousHello, capabilityOf, emptyResult, initializeResult, isUnknownMethod, resultTo } from './answers.ts';
import { createClientRequests } from './client-requests.ts';
import { isModern } from './eras.ts';
import { createForwarding } from './forwarding.ts';
import { createHands, type Hands } from './hands.ts';
import { createListAnswers } from './list-answers.ts';
import { listMembers } from './list-cache.ts';
import { createLists } from './lists.ts';
import {
  errorLine,
  isNotification,
  isRequest,
  isResponse,
  type Message,
  type MessageId,
  notificationLine,
  type RawMessage,
  type Request,
  resultLine,
} from './messages.ts';
import { createModern, type ModernOptions } from './modern.ts';
import { createServerRequests } from './server-requests.ts';
import type { Session } from './session.ts';
import { createSettings } from './settings.ts';
import { createSignInOffers } from './sign-in-offers.ts';
import type { Upstream, UpstreamOptions } from './upstream.ts';

export interface RelayOptions extends Omit<ModernOptions, 'requests' | 'bound' | 'passAnswer' | 'onBegin'> {
  /** The hint with its commands as this connection needs them. */
  hintFor(hint: string): string;
  createUpstream(callbacks: Pick<UpstreamOptions, 'hello' | 'onMessage' | 'onSession' | 'onSessionEnd'>): Upstream;
  /** The client is there: it has said `initialized`, or asked for something without having to. */
  onInitialized(hello: Record<string, unknown>): void;
}

export interface Relay {
  /** Takes one message of the client. Never throws. */
  take(message: RawMessage): void;
  /** A new authorization ends the upstream session and connects anew; `logout` signs every process out (product.md 5). */
  follow(): Promise<void>;
  /** Sends nothing of the client's any more, and ends the session at the server. */
  close(): Promise<void>;
}

/** For what waits for us: refresh, network, back-off (product.md 4). */
const ourBound = 30_000;
const notificationBound = 10_000;

export function createRelay(options: RelayOptions): Relay {
  const { clock, log, cache, send, shownTools } = options;
  const requests = createClientRequests({ clock, log, bound: ourBound, hintFor: options.hintFor, send });
  let hello = anonymousHello(options.version);
  let initialized = false;
  let greeted = false;
  /** A notification awaits its 202 before the next message (product.md 8). */
  let tail: Promise<unknown> = Promise.resolve();

  const newHands = () => createHands(clock, ourBound, new AbortController().signal);

  const onMessage = async (incoming: RawMessage, session: Session) => {
    if (isResponse(incoming.message)) return passAnswer(incoming);
    const { raw, message } = incoming;
    if (isRequest(message)) return serverRequests.ask({ raw, message }, session);
    if (message.method === 'notifications/cancelled') return serverRequests.withdraw({ raw, message });
    await send(raw);
    const changed = /^notifications\/(tools|prompts|resources)\/list_changed$/.exec(message.method ?? '')?.[1];
    if (changed) void lists.forget(changed, session);
  };

  /** What we declared before we knew upstream is empty where upstream does not have it (product.md 4). */
  const passAnswer = async (incoming: RawMessage) => {
    const { message } = incoming;
    const request = requests.waiting(message.id as MessageId);
    if (!request) return;
    const empty = isUnknownMethod(message) ? emptyResult(request.method) : undefined;
    await send(empty ? resultTo(request, empty) : shownTools.answer(request, incoming));
  };

  const onSession = (session: Session) => {
    void cache.rememberServer(session.server);
    void restore(session);
  };

  const restore = async (session: Session) => {
    const hands = newHands();
    for (const { method, params } of settings.all()) {
      if (!session.over.signal.aborted) await upstream.ask(session, method, params, hands).catch(() => undefined);
    }
    hands.release();
    if (initialized) await lists.refresh(session);
    if (!session.over.signal.aborted) await modern.askInAWhile(hello);
  };

  // Nothing is asked of a client before it is initialised (2025-11-25, Lifecycle).
  const capabilities = () => (initialized ? hello.capabilities : undefined);
  const offers = createSignInOffers({ log, capabilities, send });
  const serverRequests = createServerRequests({ upstream: () => upstream, log, newHands, send });
  const { passOn, sessionEnded: onSessionEnd } = serverRequests;
  const upstream = options.createUpstream({ hello: () => hello, onMessage, onSession, onSessionEnd });
  const lists = createLists({
    cache,
    upstream,
    clock,
    hello: () => hello,
    authorization: options.authorization,
    newHands,
    announce: (notification) => send(notificationLine(notification)),
  });
  const { forward, callTool } = createForwarding({
    ...options,
    upstream,
    lists,
    ready: () => tail,
    onRefused: async (delivery) => void modern.learn(delivery),
    offer: offers.offer,
  });
  const settings = createSettings({ forward, newHands, inTime: lists.inTime });
  const listAnswers = createListAnswers({
    lists,
    clock,
    random: options.random,
    session: () => upstream.session,
    hello: () => hello,
    newHands,
    isWaiting: (id) => requests.waiting(id) !== undefined,
    passAnswer,
    shownTools,
    onMessage,
    forward,
  });
  const modern = createModern({
    ...options,
    requests,
    bound: ourBound,
    passAnswer,
    onBegin: (asking) => greet(asking),
  });

  const take = ({ raw, message }: RawMessage) => {
    if (isRequest(message)) void requests.answer(message, (hands) => route(raw, message, hands));
    else if (isNotification(message)) takeNotification(raw, message);
    else if (isResponse(message)) takeResponse({ raw, message });
    else void send(errorLine(message.id ?? null, { code: -32600, message: 'invalid request' }));
  };

  const takeResponse = (response: RawMessage) => {
    if (!offers.take(response.message)) void serverRequests.answer(response);
  };

  const route = (raw: string, request: Request, hands: Hands): Promise<string | undefined> | string => {
    const { id, method, params } = request;
    if (isModern(request) || method === 'server/discover') return modern.answer(raw, request, hands);
    if (method === 'initialize') {
      hello = params ?? hello;
      return resultLine(id, initializeResult(hello.protocolVersion, cache.server(), options.version));
    }
    if (method === 'ping') return resultLine(id, {});
    if (isLacking(method)) return resultLine(id, emptyResult(method));
    if (Object.hasOwn(listMembers, method)) {
      // A list that was cached for the account one has just left is none (product.md 5).
      return options.readAuthorization().then(() => listAnswers.answer(raw, request, hands));
    }
    if (settings.isSetting(request)) return settings.answer(raw, request);
    if (method === 'tools/call') return callTool({ raw, request, hands });
    return forward({ raw, request, hands });
  };

  const isLacking = (method: string) => {
    const capability = capabilityOf(method);
    const server = upstream.session?.server;
    return (
      server !== undefined &&
      capability !== undefined &&
      emptyResult(method) !== undefined &&
      server.capabilities[capability] === undefined
    );
  };

  const takeNotification = (raw: string, message: Message) => {
    const { method, params } = message;
    if (method === 'notifications/initialized') {
      if (initialized) return;
      initialized = true;
      tail = tail.then(() => inTime(upstream.confirm())).catch(() => undefined);
      greet(hello);
    } else if (method === 'notifications/cancelled') {
      const told = requests.cancel(params?.requestId as MessageId, tell(raw, message));
      tail = tail.then(() => inTime(told));
    } else if (isModern(message)) {
      void modern.passOn(raw, message);
    } else {
      tail = tail.then(() => inTime(passOn(raw)));
    }
  };

  /** In the era without sessions the end of the connection says it all (2026-07-28, Cancellation). */
  const tell = (raw: string, message: Message) => {
    const request = requests.waiting(message.params?.requestId as MessageId);
    return isModern(request ?? message) ? async () => undefined : () => passOn(raw);
  };

  const greet = (asking: Record<string, unknown>) => {
    if (greeted) return;
    greeted = true;
    options.onInitialized(asking);
  };

  /** A notification that upstream does not take holds up what follows only so long (P6). */
  const inTime = (told: Promise<void>) => {
    const deadline = createDeadline(clock, notificationBound);
    return untilAborted(told, deadline.signal).finally(deadline.release);
  };

  /** In the background: the client is there, and so is a token. */
  const connectAhead = () => {
    const hands = newHands();
    upstream
      .connect(hands)
      .then((link) => 'kind' in link && modern.learn(link))
      .catch((error) => log.warn('could not connect ahead', { why: describe(error) }))
      .finally(hands.release);
  };

  const follow = async () => {
    const { name, connected } = options.authorization();
    const mine = upstream.session?.authorization;
    if (mine !== undefined && mine !== name) await upstream.disconnect();
    if (initialized && connected && !upstream.session) connectAhead();
    modern.follow();
  };

  const close = () => {
    requests.close();
    return upstream.close();
  };

  return { take, follow, close };
}
