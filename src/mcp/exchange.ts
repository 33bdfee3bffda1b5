import type { Clock } from '../clock.ts';
import { describe } from '../errors.ts';
import { ConnectionError, type Http, type HttpRequest, type HttpResponse, readBody, readBytes } from '../http.ts';
import { type Challenge, parseChallenge } from '../oauth/discovery.ts';
import { parseRetryAfter } from '../oauth/refresh.ts';
import { readAnswerStream } from './answer-stream.ts';
import { incomingMessages } from './incoming.ts';
import { isResponse, type MessageId, parseOrNothing, type RawMessage, withId } from './messages.ts';
import { createVigil, type Vigil } from './vigil.ts';

/** What came of one message, as evidence of what upstream did with it (P8). */
export type Delivery =
  /** The response was handed on. */
  | { kind: 'answered' }
  /** A notification or a response was taken. */
  | { kind: 'accepted' }
  /** `authorization`: the one whose token was sent, if any. */
  | { kind: 'challenged'; status: 401 | 403; challenge: Challenge; authorization?: string | undefined }
  | { kind: 'session-gone' }
  /** Not served now: upstream surely did not act. */
  | { kind: 'busy'; status: number; retryAfter: number | undefined }
  /**
   * Upstream said no, with a JSON-RPC error or in words of its own. `raw`: that error as the answer to the request, not
   * handed on. `taken`: it said yes, to whatever, and gave no answer: it may have acted.
   */
  | { kind: 'refused'; status: number; error?: unknown; raw?: string; text: string; taken?: boolean }
  /** `untrusted`: nobody vouches for the server's certificate. */
  | { kind: 'not-sent'; why: string; untrusted?: boolean }
  /** Upstream may or may not have acted. `silent`: it gave no sign of life. */
  | { kind: 'ambiguous'; why: string; silent?: boolean }
  /** The client cancelled it. */
  | { kind: 'cancelled' };

export interface Outgoing {
  url: URL;
  headers: Record<string, string>;
  raw: string;
  /** The id of a request, whose response ends the exchange. */
  answerTo?: MessageId | undefined;
  connection: NonNullable<HttpRequest['connection']>;
  /** Of an era without sessions: streams are not resumed, and what a refusal means is for the caller to say. */
  stateless: boolean;
  /** Its stream may be silent for long. */
  longLived: boolean;
  cancelled: AbortSignal;
  unsentSignal: AbortSignal;
  onSent: () => void;
  onHeaders?: (response: HttpResponse) => void;
  onMessage: (message: RawMessage) => Promise<void>;
  /** For resuming: by now the token may be another one. `refused`: the last one was. @throws BridgeError when none could be had */
  headersAgain: (refused: boolean, signal: AbortSignal) => Promise<Record<string, string>>;
  /** Asks upstream for a sign of life on another connection. */
  isAlive: () => Promise<boolean>;
}

const errorBodyLimit = 64 * 1024;
const answerLimit = 256 * 1024 * 1024;

export function createExchange(http: Http, clock: Clock, random: () => number) {
  /** Posts one message and sees it through to its answer. Never throws. */
  return async function post(outgoing: Outgoing): Promise<Delivery> {
    const over = new AbortController();
    const cancel = () => over.abort();
    outgoing.cancelled.addEventListener('abort', cancel);
    const vigil = createVigil(clock, over, outgoing.isAlive);
    const { signal } = over;
    if (outgoing.cancelled.aborted) cancel();
    try {
      const response = await http.request(outgoing.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...outgoing.headers,
        },
        body: outgoing.raw,
        connection: outgoing.connection,
        signal,
        unsentSignal: outgoing.unsentSignal,
        onSent: () => {
          outgoing.onSent();
          vigil.begin();
        },
      });
      outgoing.onHeaders?.(response);
      vigil.sawBytes();
      if (response.status >= 400) return await readRefusal(response, outgoing);
      if (outgoing.longLived) vigil.end();
      return await readAnswer(response, outgoing, vigil, signal);
    } catch (error) {
      if (outgoing.cancelled.aborted) return { kind: 'cancelled' };
      if (signal.aborted) return { kind: 'ambiguous', why: 'the server went silent', silent: true };
      if (!(error instanceof ConnectionError) || error.sent) return { kind: 'ambiguous', why: describe(error) };
      return { kind: 'not-sent', why: describe(error), untrusted: error.isUntrusted };
    } finally {
      outgoing.cancelled.removeEventListener('abort', cancel);
      vigil.end();
    }
  };

  async function readAnswer(
    response: HttpResponse,
    outgoing: Outgoing,
    vigil: Vigil,
    signal: AbortSignal,
  ): Promise<Delivery> {
    const type = typeOf(response);
    const { status } = response;
    if (outgoing.answerTo === undefined || status === 202) {
      response.body.resume();
      const text = 'the server accepted a request without answering it';
      return outgoing.answerTo === undefined ? { kind: 'accepted' } : { ...refusal(status, text), taken: true };
    }
    if (type === 'text/event-stream') return readStream(response, outgoing, vigil, signal);
    if (status >= 300) {
      response.body.resume();
      return refusal(status, whereTo(response.header('location'), outgoing.url));
    }
    if (type !== 'application/json') {
      response.body.resume();
      return { ...refusal(status, `the server answered with ${type ?? 'no content type'}`), taken: true };
    }
    const messages = incomingMessages(await readBytes(response, answerLimit, vigil.sawBytes));
    vigil.end();
    for (const message of messages) await outgoing.onMessage(message);
    return messages.some((message) => answers(message, outgoing.answerTo))
      ? { kind: 'answered' }
      : { kind: 'ambiguous', why: 'the server answered without a response to the request' };
  }

  /** Without sessions a stream is not resumed: what a cut means is for the caller to say (2026-07-28). */
  async function readStream(
    first: HttpResponse,
    outgoing: Outgoing,
    vigil: Vigil,
    signal: AbortSignal,
  ): Promise<Delivery> {
    let answered = false;
    const onEvent = async (data: string | Buffer) => {
      for (const message of incomingMessages(data)) {
        answered ||= answers(message, outgoing.answerTo);
        if (answered) vigil.end();
        await vigil.unheeded(outgoing.onMessage(message));
      }
    };
    const { url, headersAgain, stateless } = outgoing;
    const parts = { http, clock, random, url, signal, headersAgain, onEvent, onBytes: vigil.sawBytes };
    const why = await readAnswerStream(first, { ...parts, isResumable: !stateless, isAnswered: () => answered });
    return why === undefined ? { kind: 'answered' } : { kind: 'ambiguous', why };
  }
}

async function readRefusal(response: HttpResponse, outgoing: Outgoing): Promise<Delivery> {
  const { status } = response;
  const isJson = typeOf(response)?.endsWith('json');
  const text = await readBody(response, isJson ? answerLimit : errorBodyLimit).catch(() => '');
  const challenge = parseChallenge(response.header('www-authenticate'));
  if (status === 401) return { kind: 'challenged', status, challenge };
  if (status === 403 && challenge.error === 'insufficient_scope') return { kind: 'challenged', status, challenge };
  if (status === 404 && outgoing.headers['mcp-session-id'] !== undefined) return { kind: 'session-gone' };
  const retryAfter = parseRetryAfter(response.header('retry-after'));
  if (status === 429 || (status === 503 && retryAfter !== undefined)) return { kind: 'busy', status, retryAfter };
  const [parsed] = parseOrNothing(text);
  const isError = parsed !== undefined && isRpcError(parsed.message.error);
  const isAnswer = isError && answers(parsed, outgoing.answerTo);
  // An error that names the request is the server's answer; anything else may come from somebody in front of it.
  if (status >= 500 && !isAnswer) return { kind: 'ambiguous', why: `status ${status}` };
  if (!isError) return refusal(status, text.slice(0, 500));
  if (isAnswer && !outgoing.stateless) {
    await outgoing.onMessage(parsed);
    return { kind: 'answered' };
  }
  const raw = withId(parsed.raw, outgoing.answerTo ?? null);
  return { ...refusal(status, text.slice(0, 500)), error: parsed.message.error, raw };
}

/** An OAuth error is in a member of the same name (RFC 6750 section 3.1), as a text that no client of ours could read. */
function isRpcError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error;
}

function typeOf(response: HttpResponse): string | undefined {
  return response.header('content-type')?.split(';')[0]?.trim().toLowerCase();
}

/** Redirects are not followed: the token is for this URL. What is behind the path may be nobody's business. */
function whereTo(location: string | undefined, from: URL): string {
  if (location === undefined || !URL.canParse(location, from.href)) return 'a redirect to nowhere';
  const { origin, pathname } = new URL(location, from);
  return `a redirect to ${origin}${pathname}; if that is the server, pass it as --url`;
}

function refusal(status: number, text: string): Delivery & { kind: 'refused' } {
  return { kind: 'refused', status, text };
}

function answers({ message }: RawMessage, id: MessageId | undefined): boolean {
  return isResponse(message) && message.id === id;
}
