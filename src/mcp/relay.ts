import { type Clock, createDeadline, untilAborted } from '../clock.ts';
import { BridgeError, describe } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Challenge } from '../oauth/discovery.ts';
import {
  anonymousHello,
  capabilityOf,
  connectTool,
  emptyResult,
  errorOf,
  initializeResult,
  isUnknownMethod,
  staleCursorLine,
} from './answers.ts';
import { createClientRequests } from './client-requests.ts';
import type { Delivery } from './exchange.ts';
import { createHands, type Hands } from './hands.ts';
import { createListAnswers, type Forwarding, type Wanting } from './list-answers.ts';
import { type ListCache, listMembers } from './list-cache.ts';
import { createLists } from './lists.ts';
import {
  errorLine,
  isNotification,
  isRequest,
  isResponse,
  type Message,
  type MessageId,
  type RawMessage,
  type Request,
  resultLine,
} from './messages.ts';
import { createServerRequests } from './server-requests.ts';
import type { Session } from './session.ts';
import { createSettings } from './settings.ts';
import type { Upstream, UpstreamOptions } from './upstream.ts';

export interface RelayOptions {
  clock: Clock;
  log: Log;
  cache: ListCache;
  version: string;
  /** The hint with its commands as this connection needs them. */
  hintFor(hint: string): string;
  /** Writes one line to the client. */
  send(line: string): Promise<void>;
  createUpstream(callbacks: Pick<UpstreamOptions, 'hello' | 'onMessage' | 'onSession' | 'onSessionEnd'>): Upstream;
  /** Resolves when the request may be sent again. @throws BridgeError */
  signIn(
    need: { challenge: Challenge; authorization?: string | undefined },
    wanting: Wanting,
    cancelled: AbortSignal,
  ): Promise<void>;
  signInRequired(): Promise<BridgeError>;
  /** The authorization in the record, as it was last read. */
  authorization(): { name: string; connected: boolean };
  readAuthorization(): Promise<void>;
  onInitialized(): void;
  /** Before a tool is called. */
  onToolCall(): void;
}

export interface Relay {
  readonly upstream: Upstream;
  /** Takes one message of the client. Never throws. */
  take(message: RawMessage): void;
  /** Connects in the background: the client is there, and so is a token. */
  connectAhead(): void;
}

/** For what waits for us: refresh, network, back-off (product.md 4). */
const ourBound = 30_000;
const notificationBound = 10_000;
const mostStepUps = 2;

export function createRelay(options: RelayOptions): Relay {
  const { clock, log, cache, send } = options;
  const requests = createClientRequests({ clock, log, bound: ourBound, hintFor: options.hintFor, send });
  const settings = createSettings();
  let hello = anonymousHello(options.version);
  let initialized = false;
  /** A notification awaits its 202 before the next message (product.md 8). */
  let tail: Promise<unknown> = Promise.resolve();

  const newHands = () => createHands(clock, ourBound, new AbortController().signal);

  const onMessage = async ({ raw, message }: RawMessage, session: Session) => {
    if (isResponse(message)) {
      return passAnswer(raw, message);
    }
    if (isRequest(message)) return serverRequests.ask({ raw, message }, session);
    if (message.method === 'notifications/cancelled') return serverRequests.withdraw({ raw, message });
    await send(raw);
    const changed = /^notifications\/(tools|prompts|resources)\/list_changed$/.exec(message.method ?? '')?.[1];
    if (changed) void lists.forget(changed, session);
  };

  /** What we declared before we knew upstream is empty where upstream does not have it (product.md 4). */
  const passAnswer = async (raw: string, message: Message & { id: MessageId }) => {
    const request = requests.waiting(message.id);
    if (!request) return;
    const empty = isUnknownMethod(message) ? emptyResult(request.method) : undefined;
    await send(empty ? resultLine(request.id, empty) : raw);
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
  };

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
    send,
  });
  const listAnswers = createListAnswers({
    lists,
    session: () => upstream.session,
    hello: () => hello,
    newHands,
    isWaiting: (id) => requests.waiting(id) !== undefined,
    send,
    onMessage,
    forward: (forwarding) => forward(forwarding),
  });

  const take = ({ raw, message }: RawMessage) => {
    if (isRequest(message)) void requests.answer(message, (hands) => route(raw, message, hands));
    else if (isNotification(message)) takeNotification(raw, message);
    else if (isResponse(message)) void serverRequests.answer({ raw, message });
    else void send(errorLine(message.id ?? null, { code: -32600, message: 'invalid request' }));
  };

  const route = (raw: string, request: Request, hands: Hands): Promise<string | undefined> | string => {
    const { id, method, params } = request;
    if (method === 'initialize') {
      hello = params ?? hello;
      return resultLine(id, initializeResult(hello.protocolVersion, cache.server(), options.version));
    }
    if (method === 'ping') return resultLine(id, {});
    if (method === 'server/discover') return errorLine(id, { code: -32601, message: 'method not found' });
    if (isLacking(method)) return resultLine(id, emptyResult(method));
    if (Object.hasOwn(listMembers, method)) {
      // A list that was cached for the account one has just left is none (product.md 5).
      return options.readAuthorization().then(() => listAnswers.answer(raw, request, hands));
    }
    if (settings.note(request)) return forward({ raw, request, hands }).catch(() => resultLine(id, {}));
    if (method !== 'tools/call') return forward({ raw, request, hands });
    if (params?.name === connectTool.name) return answerConnect(id, request, hands);
    options.onToolCall();
    return forward({ raw, request, hands, wanting: 'toolCall' });
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

  /** Sends a request upstream; resolves with nothing once its own answer went to the client. @throws BridgeError */
  const forward = async ({ raw, request, hands, wanting, onMessage, epoch }: Forwarding) => {
    const resendable = request.method !== 'tools/call' || lists.isSafeTool(request.params?.name);
    for (let stepUps = 0; ; ) {
      await untilAborted(tail, hands.signal);
      const delivery = await upstream.deliver({ raw, answerTo: request.id, resendable, hands, onMessage, epoch });
      if (delivery.kind === 'answered' || hands.cancelled.aborted) return undefined;
      if (delivery.kind === 'refused' && delivery.error !== undefined) return errorLine(request.id, delivery.error);
      if (delivery.kind === 'session-gone' && epoch !== undefined) return staleCursorLine(request.id);
      if (delivery.kind !== 'challenged') throw errorOf(delivery, request, resendable);
      if (delivery.status === 403 && ++stepUps > mostStepUps)
        throw new BridgeError('UPSTREAM_REFUSED', 'the server wants more scope than it grants');
      if (!wanting) throw await options.signInRequired();
      await signIn(delivery, wanting, hands);
    }
  };

  /** The wait for a person has a bound of its own. */
  const signIn = async (delivery: Delivery & { kind: 'challenged' }, wanting: Wanting, hands: Hands) => {
    hands.pass();
    await options.signIn(delivery, wanting, hands.cancelled);
    hands.take();
  };

  const answerConnect = async (id: MessageId, request: Request, hands: Hands): Promise<string> => {
    let link = await upstream.connect(hands);
    if ('kind' in link && link.kind === 'challenged') {
      await signIn(link, 'connectTool', hands);
      link = await upstream.connect(hands);
    }
    if ('kind' in link) throw errorOf(link, request);
    const name = link.server.serverInfo.title ?? link.server.serverInfo.name ?? 'the server';
    const text = `Connected to ${name}. Its tools are available now; if this app does not show them, list the tools again or start a new chat.`;
    return resultLine(id, { content: [{ type: 'text', text }] });
  };

  const takeNotification = (raw: string, { method, params }: Message) => {
    if (method === 'notifications/initialized') {
      if (initialized) return;
      initialized = true;
      tail = tail.then(() => inTime(upstream.confirm())).catch(() => undefined);
      options.onInitialized();
    } else if (method === 'notifications/cancelled') {
      const told = requests.cancel(params?.requestId as MessageId, () => passOn(raw));
      tail = tail.then(() => inTime(told));
    } else {
      tail = tail.then(() => inTime(passOn(raw)));
    }
  };

  /** A notification that upstream does not take holds up what follows only so long (P6). */
  const inTime = (told: Promise<void>) => {
    const deadline = createDeadline(clock, notificationBound);
    return untilAborted(told, deadline.signal).finally(deadline.release);
  };

  const connectAhead = () => {
    const hands = newHands();
    upstream
      .connect(hands)
      .catch((error) => log.warn('could not connect ahead', { why: describe(error) }))
      .finally(hands.release);
  };

  return { upstream, take, connectAhead };
}
