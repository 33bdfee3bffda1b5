import { type Clock, createDeadline } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import type { Http, HttpResponse } from '../http.ts';
import type { AccessToken, TokenSource } from '../token-source.ts';
import { createExchange, type Delivery } from './exchange.ts';
import type { Hands } from './hands.ts';
import type { MessageId, RawMessage } from './messages.ts';
import { type Session, sessionHeaders } from './session.ts';

/** One message on its way to upstream. */
export interface Post {
  raw: string;
  /** The id of a request. */
  answerTo?: MessageId | undefined;
  /** May it be sent again when nobody knows whether upstream acted (P8)? */
  resendable: boolean;
  hands: Hands;
  /** Takes the messages of this exchange instead of the relay. */
  onMessage?: ((message: RawMessage) => Promise<void>) | undefined;
  /** Only in this session: what it is about is unknown to another. */
  epoch?: number | undefined;
  /** Of a request that needs no session (2026-07-28): what mirrors it. */
  headers?: Record<string, string> | undefined;
  /** Its answer is a stream that may be silent for long. */
  longLived?: boolean | undefined;
}

/** Sees the status and the headers of the answer, and the token that was sent. */
export type OnResponse = (response: HttpResponse, token: AccessToken | undefined) => void;

export interface AuthorizedExchange {
  /**
   * Sends with a token, and answers a 401 with another: what the record holds, else one refresh (product.md 6.4).
   * @throws BridgeError when no token could be had
   */
  send(session: Session | undefined, post: Post, onResponse?: OnResponse): Promise<Delivery>;
}

interface AuthorizedExchangeOptions {
  url: URL;
  http: Http;
  tokens: TokenSource;
  clock: Clock;
  random: () => number;
  newId(): string;
  onMessage(message: RawMessage, session: Session): Promise<void>;
}

const proofOfLifeBound = 10_000;
const pingPause = 1_000;
const brandNewWait = 1_000;
const mostRounds = 8;

export function createAuthorizedExchange(options: AuthorizedExchangeOptions): AuthorizedExchange {
  const { url, http, tokens, clock, random, newId } = options;
  const exchange = createExchange(http, clock, random);
  /** The brand-new token that was refused first and last, and when every edge has to know it; monotonic time. */
  let young = { fingerprint: '', knownAt: 0 };

  const send: AuthorizedExchange['send'] = async (session, post, onResponse) => {
    let refused: string | undefined;
    for (let round = 0; ; round++) {
      const token = await tokens.current({ refused, signal: post.hands.signal });
      if (post.hands.cancelled.aborted) return { kind: 'cancelled' };
      if (post.hands.signal.aborted) return { kind: 'not-sent', why: 'waiting for a token took too long' };
      // Nothing is written to the account one has just left (product.md 5).
      if (session && token && token.authorization !== session.authorization) return { kind: 'session-gone' };
      const sentAt = clock.monotonic();
      const delivery = await sendWith(token, session, post, onResponse);
      if (token && tookToken(delivery)) tokens.accepted(token);
      if (delivery.kind !== 'challenged') return delivery;
      const authorization = token?.authorization;
      if (delivery.status === 403 || !token || round > mostRounds) return { ...delivery, authorization };
      const known = token.isBrandNew ? untilKnown(token, sentAt) : undefined;
      if (known === undefined) refused = token.fingerprint;
      else await clock.sleep(known, post.hands.signal);
    }
  };

  /**
   * A token just issued can be unknown at another edge for a moment (notion-wire.md): how long to wait before it is sent
   * again, ms; undefined when it was refused to a request that was sent after that.
   */
  const untilKnown = ({ fingerprint }: AccessToken, sentAt: number): number | undefined => {
    if (young.fingerprint !== fingerprint) young = { fingerprint, knownAt: clock.monotonic() + brandNewWait };
    return sentAt < young.knownAt ? Math.max(0, young.knownAt - clock.monotonic()) : undefined;
  };

  const sendWith = (
    token: AccessToken | undefined,
    session: Session | undefined,
    { raw, answerTo, resendable, hands, onMessage, headers: mirrored, longLived = false }: Post,
    onResponse: OnResponse | undefined,
  ) => {
    const headers = { ...sessionHeaders(session, token), ...mirrored };
    let latest = token;
    const headersAgain = async (refused: boolean, signal: AbortSignal) => {
      latest = await tokens.current({ refused: refused ? latest?.fingerprint : undefined, signal });
      if (latest?.authorization !== token?.authorization)
        throw new BridgeError('REAUTH_REQUIRED', 'the sign-in is another one by now');
      return sessionHeaders(session, latest);
    };
    return exchange({
      url,
      raw,
      answerTo,
      headers,
      connection: resendable ? 'pooled' : 'recent',
      stateless: mirrored !== undefined,
      longLived,
      cancelled: hands.cancelled,
      unsentSignal: hands.signal,
      onSent: hands.pass,
      onHeaders: (response) => onResponse?.(response, token),
      onMessage: onMessage ?? (async (message) => session && options.onMessage(message, session)),
      headersAgain,
      isAlive: () => givesSignOfLife(session),
    }).finally(hands.take);
  };

  /** A network that is away for a moment is no dead server: it is asked until the time is up. */
  const givesSignOfLife = async (session: Session | undefined): Promise<boolean> => {
    const deadline = createDeadline(clock, proofOfLifeBound);
    let isAlive = false;
    while (!isAlive && !deadline.signal.aborted) {
      isAlive = await answersPing(session, deadline.signal);
      if (!isAlive) await clock.sleep(pingPause, deadline.signal);
    }
    deadline.release();
    return isAlive;
  };

  /** Any HTTP answer at all counts, so no token is sent: by now this one may be known dead. */
  const answersPing = async (session: Session | undefined, signal: AbortSignal): Promise<boolean> => {
    const headers = sessionHeaders(session, undefined);
    try {
      const response = await http.request(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify({ jsonrpc: '2.0', id: newId(), method: 'ping' }),
        signal,
        connection: 'new',
      });
      response.body.resume();
      return true;
    } catch {
      return false;
    }
  };

  return { send };
}

/** Upstream looked at the message, so it took the token. */
function tookToken({ kind }: Delivery): boolean {
  return ['answered', 'accepted', 'session-gone', 'refused'].includes(kind);
}
