import { backOff, type Clock } from '../clock.ts';
import { describe } from '../errors.ts';
import type { Http, HttpResponse } from '../http.ts';
import type { Log } from '../log.ts';
import type { AccessToken } from '../token-source.ts';
import { readEvents, type StreamPosition } from './event-stream.ts';
import { parseOrNothing, type RawMessage } from './messages.ts';

/** What upstream said in its answer to `initialize`. */
export interface ServerDescription {
  protocolVersion: string;
  capabilities: Record<string, unknown>;
  serverInfo: Record<string, unknown>;
  instructions?: string;
}

/** One initialised session at upstream. */
export interface Session {
  /** Grows with every session of this process. */
  epoch: number;
  /** Absent where the server keeps no session. */
  id: string | undefined;
  server: ServerDescription;
  /** The authorization it was opened with; another one never uses it (product.md 5). */
  authorization: string | undefined;
  /** Aborts when the session is over. */
  over: AbortController;
  /** None that upstream knows of: it stands for whatever is said to one authorization (2026-07-28). */
  isStateless?: boolean;
}

export function sessionHeaders(session: Session | undefined, token: AccessToken | undefined): Record<string, string> {
  return {
    'user-agent': 'notion-mcp-bridge',
    ...(token ? { authorization: `Bearer ${token.value}` } : {}),
    ...(session ? { 'mcp-protocol-version': session.server.protocolVersion } : {}),
    ...(session?.id === undefined ? {} : { 'mcp-session-id': session.id }),
  };
}

interface ListeningOptions {
  http: Http;
  clock: Clock;
  log: Log;
  random: () => number;
  url: URL;
  session: Session;
  token(refused: string | undefined, signal: AbortSignal): Promise<AccessToken | undefined>;
  onMessage(message: RawMessage): Promise<void>;
  onGone(): void;
}

const firstDelay = 1_000;
/** A stream that lasted this long, ms, or that brought an event, was worth opening. */
const worthwhile = 30_000;
/** Refusals that pass: the token, a stream of ours that the server still takes for open, too much at once. */
const passing = new Set([401, 408, 409, 425, 429]);

/** Keeps the session's own event stream open, for ever, with back-off (product.md 8), until the session is over. */
export async function listen({
  http,
  clock,
  log,
  random,
  url,
  session,
  token,
  onMessage,
  onGone,
}: ListeningOptions): Promise<void> {
  const { signal } = session.over;
  const position: StreamPosition = {};
  let refused: string | undefined;
  let fruitful = false;

  const open = async (): Promise<HttpResponse> => {
    const access = await token(refused, signal);
    const headers = { ...sessionHeaders(session, access), accept: 'text/event-stream' };
    const resume = position.lastEventId === undefined ? {} : { 'last-event-id': position.lastEventId };
    const response = await http.request(url, {
      method: 'GET',
      headers: { ...headers, ...resume },
      signal,
      connection: 'new',
    });
    // A half-open connection is found by the kernel, without traffic of ours.
    response.body.socket.setKeepAlive(true, 60_000);
    if (response.status === 401) refused = access?.fingerprint;
    return response;
  };
  const onEvent = async (data: string) => {
    fruitful = true;
    // What is no message is passed by: asked for again, it would come again.
    for (const message of parseOrNothing(data)) await onMessage(message);
  };

  for (let attempt = 0; !signal.aborted; attempt++) {
    let streamed = false;
    try {
      const response = await open();
      if (response.status === 200) {
        streamed = true;
        const since = clock.monotonic();
        await readEvents(response.body, position, onEvent, () => undefined).finally(() => {
          if (fruitful || clock.monotonic() - since >= worthwhile) attempt = 0;
          fruitful = false;
        });
      } else {
        response.body.resume();
        if (response.status === 404 && session.id !== undefined) return onGone();
        // 405: the server offers no stream of its own. Another refusal will not change by asking again.
        if (response.status < 500 && !passing.has(response.status)) return;
      }
    } catch (error) {
      if (!signal.aborted) log.debug('the event stream broke off', { why: describe(error) });
    }
    const pause = backOff(attempt, random, firstDelay);
    const asked = position.retry ?? pause;
    await clock.sleep(streamed ? asked : Math.max(asked, pause), signal);
  }
}
