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
const brandNew = 60_000;
const brandNewWait = 1_000;
const mostRounds = 8;

export function createAuthorizedExchange(options: AuthorizedExchangeOptions): AuthorizedExchange {
  const { url, http, tokens, clock, random, newId } = options;
  const exchange = createExchange(http, clock, random);

  const send: AuthorizedExchange['send'] = async (session, post, onResponse) => {
    let refused: string | undefined;
    let givenTime: string | undefined;
    for (let round = 0; ; round++) {
      const token = await tokens.current({ refused, signal: post.hands.signal });
      if (post.hands.cancelled.aborted) return { kind: 'cancelled' };
      if (post.hands.signal.aborted) return { kind: 'not-sent', why: 'waiting for a token took too long' };
      // Nothing is written to the account one has just left (product.md 5).
      if (session && token && token.authorization !== session.authorization) return { kind: 'session-gone' };
      const delivery = await sendWith(token, session, post, onResponse);
      if (token && tookToken(delivery)) tokens.accepted(token);
      if (delivery.kind !== 'challenged') return delivery;
      const authorization = token?.authorization;
      if (delivery.status === 403 || !token || round > mostRounds) return { ...delivery, authorization };
      if (token.age < brandNew && givenTime !== token.fingerprint) {
        // A token just issued can be unknown at another edge for a moment (notion-wire.md).
        givenTime = token.fingerprint;
        await clock.sleep(brandNewWait, post.hands.signal);
      } else {
        refused = token.fingerprint;
      }
    }
  };

  const sendWith = (
    token: AccessToken | undefined,
    session: Session | undefined,
    { raw, answerTo, resendable, hands, onMessage }: Post,
    onResponse: OnResponse | undefined,
  ) => {
    const headers = sessionHeaders(session, token);
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
      cancelled: hands.cancelled,
      unsentSignal: hands.signal,
      onSent: hands.pass,
      onHeaders: (response) => onResponse?.(response, token),
      onMessage: onMessage ?? (async (message) => session && options.onMessage(message, session)),
      headersAgain,
      isAlive: () => givesSignOfLife(headers),
    }).finally(hands.take);
  };

  /** Any HTTP answer at all counts. */
  const givesSignOfLife = async (headers: Record<string, string>): Promise<boolean> => {
    const deadline = createDeadline(clock, proofOfLifeBound);
    try {
      const response = await http.request(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify({ jsonrpc: '2.0', id: newId(), method: 'ping' }),
        signal: deadline.signal,
        connection: 'new',
      });
      response.body.resume();
      return true;
    } catch {
      return false;
    } finally {
      deadline.release();
    }
  };

  return { send };
}

/** Upstream looked at the message, so it took the token. */
function tookToken({ kind }: Delivery): boolean {
  return ['answered', 'accepted', 'session-gone', 'refused'].includes(kind);
}
