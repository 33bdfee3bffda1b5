import { type Clock, createDeadline, untilAborted } from '../clock.ts';
import { describe } from '../errors.ts';
import type { Http } from '../http.ts';
import type { Log } from '../log.ts';
import type { TokenSource } from '../token-source.ts';
import { createAuthorizedExchange, type Post } from './authorized-exchange.ts';
import type { Delivery } from './exchange.ts';
import { createHands, type Hands } from './hands.ts';
import { createLookOut } from './look-out.ts';
import { isResponse, type Message, notificationLine, type RawMessage } from './messages.ts';
import { createRedelivery } from './redelivery.ts';
import { listen, type ServerDescription, type Session, sessionHeaders } from './session.ts';

export interface UpstreamOptions {
  url: URL;
  http: Http;
  tokens: TokenSource;
  clock: Clock;
  log: Log;
  random: () => number;
  /** The client's own `initialize` parameters; they go upstream as they are. */
  hello(): Record<string, unknown>;
  /** Whatever upstream sends of itself, and on behalf of requests. */
  onMessage(message: RawMessage, session: Session): Promise<void>;
  onSession(session: Session): void;
  onSessionEnd(session: Session): void;
}

export interface Upstream {
  /** Connects when needed, sends, and sends again by evidence (product.md 8). @throws BridgeError when no token could be had */
  deliver(post: Post): Promise<Delivery>;
  /** A request of our own in this session; undefined when it got no result. */
  ask(session: Session, method: string, params: Record<string, unknown>, hands: Hands): Promise<Message['result']>;
  /** The session, or what stands in the way of one. @throws BridgeError when no token could be had */
  connect(hands: Hands): Promise<Session | Delivery>;
  /** The session once upstream has answered in it, asked for as long as `hands` last. @throws BridgeError when no token could be had */
  meet(hands: Hands): Promise<Session | Delivery>;
  readonly session: Session | undefined;
  /** The client is initialised, so upstream may be told. */
  confirm(): Promise<void>;
  /** Ends the session at the server, too. */
  disconnect(): Promise<void>;
  /** The last disconnect: nothing connects any more. */
  close(): Promise<void>;
}

const connectBound = 30_000;
const farewellBound = 300;
const ownIds = 'notion-mcp-bridge:';

export function createUpstream(options: UpstreamOptions): Upstream {
  const { url, http, tokens, clock, log, random } = options;
  let session: Session | undefined;
  let connecting: Promise<Session | Delivery> | undefined;
  let epochs = 0;
  let lastId = 0;
  let confirmed = false;
  const closing = new AbortController();
  const newId = () => `${ownIds}${++lastId}`;
  const { onMessage } = options;
  const { send } = createAuthorizedExchange({ url, http, tokens, clock, random, newId, onMessage });
  const redeliver = createRedelivery({ http, clock, random });

  const connect = async (hands: Hands): Promise<Session | Delivery> => {
    if (session) return session;
    if (closing.signal.aborted) return { kind: 'not-sent', why: 'the bridge is closing' };
    connecting ??= lookOut.watch(open()).finally(() => {
      connecting = undefined;
    });
    const link = await untilAborted(connecting, hands.signal);
    if (link) return link;
    // When it is the token that did not come, this says so.
    await tokens.current({ signal: hands.signal });
    return { kind: 'not-sent', why: 'connecting takes too long' };
  };

  const open = async (): Promise<Session | Delivery> => {
    const hands = createHands(clock, connectBound, new AbortController().signal);
    const { raw, id, answer, onMessage: takeAnswer } = ownRequest('initialize', options.hello());
    const opened = { epoch: epochs + 1, over: new AbortController() } as Session;
    const post = { raw, answerTo: id, resendable: true, hands, onMessage: takeAnswer };
    const delivery = await send(undefined, post, (response, token) => {
      opened.id = response.header('mcp-session-id');
      opened.authorization = token?.authorization;
    }).finally(hands.release);
    // Nobody's request has left yet, whatever became of ours.
    if (delivery.kind === 'ambiguous') return { kind: 'not-sent', why: delivery.why };
    if (delivery.kind === 'refused') return { ...delivery, taken: false };
    if (delivery.kind !== 'answered') return delivery;
    const { result, error } = answer();
    if (!result) return { kind: 'refused', status: 200, error, text: 'the server refused to initialise' };
    opened.server = result as unknown as ServerDescription;
    epochs += 1;
    log.info('connected to the server', { version: opened.server.protocolVersion, session: epochs });
    await begin(opened);
    if (opened.over.signal.aborted || closing.signal.aborted) return { kind: 'session-gone' };
    session = opened;
    options.onSession(opened);
    return opened;
  };

  const ownRequest = (method: string, params: Record<string, unknown>) => {
    const id = newId();
    let answer: Message = {};
    const takeAnswer = async (incoming: RawMessage) => {
      if (isResponse(incoming.message) && incoming.message.id === id) answer = incoming.message;
      else if (session) await onMessage(incoming, session);
    };
    return {
      id,
      raw: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
      answer: () => answer,
      onMessage: takeAnswer,
    };
  };

  /** `initialized` follows only the client's own (product.md 8); then the server may speak of itself. */
  const begin = async (current: Session) => {
    if (!confirmed) return;
    const delivery = await tell(current, notificationLine('notifications/initialized'));
    if (delivery.kind === 'session-gone') return end(current);
    const token = (refused: string | undefined, signal: AbortSignal) => tokens.current({ refused, signal });
    const take = (message: RawMessage) => onMessage(message, current);
    void listen({
      http,
      clock,
      log,
      random,
      url,
      session: current,
      token,
      onMessage: take,
      isOver: () => isOver(current),
    });
  };

  const connectAgain = () => {
    const hands = createHands(clock, connectBound, closing.signal);
    return connect(hands).finally(hands.release);
  };

  const lookOut = createLookOut({
    clock,
    random,
    connect: connectAgain,
    isIdle: () => session !== undefined || !confirmed,
    over: closing.signal,
  });

  const recover = (lost: Session) => {
    end(lost);
    lookOut.lost();
  };

  /** A 404 to a GET may also mean that there is no such thing; any other request tells. Undefined when none could. */
  const isOver = async (asked: Session): Promise<boolean | undefined> => {
    const hands = createHands(clock, connectBound, asked.over.signal);
    const { raw, id, onMessage: takeAnswer } = ownRequest('ping', {});
    const post = { raw, answerTo: id, resendable: true, hands, onMessage: takeAnswer, epoch: asked.epoch };
    const delivery = await deliver(post)
      .catch(() => undefined)
      .finally(hands.release);
    if (delivery?.kind === 'session-gone') return true;
    return delivery?.kind === 'answered' || delivery?.kind === 'refused' ? false : undefined;
  };

  const tell = async (current: Session, raw: string): Promise<Delivery> => {
    const hands = createHands(clock, connectBound, current.over.signal);
    try {
      return await send(current, { raw, resendable: true, hands });
    } catch (error) {
      return { kind: 'not-sent', why: describe(error) };
    } finally {
      hands.release();
    }
  };

  const end = (ended: Session) => {
    if (session === ended) session = undefined;
    if (ended.over.signal.aborted) return;
    ended.over.abort();
    options.onSessionEnd(ended);
  };

  const deliver = (post: Post) =>
    redeliver(post, async () => {
      // What is about one session means nothing to another.
      if (post.epoch !== undefined && post.epoch !== session?.epoch) return { kind: 'session-gone' };
      const current = await connect(post.hands);
      if ('kind' in current) return current;
      const delivery = await send(current, post);
      // Whoever finds out may have no need of another one; the event stream has.
      if (delivery.kind === 'session-gone') recover(current);
      return delivery;
    });

  const ask: Upstream['ask'] = async ({ epoch }, method, params, hands) => {
    const { raw, id, answer, onMessage: takeAnswer } = ownRequest(method, params);
    await deliver({ raw, answerTo: id, resendable: true, hands, onMessage: takeAnswer, epoch });
    return answer().result;
  };

  const meet: Upstream['meet'] = async (hands) => {
    const { raw, id, onMessage: takeAnswer } = ownRequest('ping', {});
    const delivery = await deliver({ raw, answerTo: id, resendable: true, hands, onMessage: takeAnswer });
    return delivery.kind === 'answered' ? (session ?? { kind: 'session-gone' }) : delivery;
  };

  const confirm = async () => {
    if (confirmed) return;
    confirmed = true;
    if (session) await begin(session);
  };

  const disconnect = async () => {
    const current = session;
    if (!current) return;
    end(current);
    if (current.id === undefined) return;
    const deadline = createDeadline(clock, farewellBound);
    try {
      const token = await tokens.current({ signal: deadline.signal });
      const headers = sessionHeaders(current, token?.authorization === current.authorization ? token : undefined);
      const response = await http.request(url, { method: 'DELETE', headers, signal: deadline.signal });
      response.body.resume();
    } catch (error) {
      log.debug('could not end the session at the server', { why: describe(error) });
    } finally {
      deadline.release();
    }
  };

  const close = () => {
    closing.abort();
    return disconnect();
  };

  return {
    deliver,
    ask,
    connect,
    meet,
    confirm,
    disconnect,
    close,
    get session() {
      return session;
    },
  };
}
