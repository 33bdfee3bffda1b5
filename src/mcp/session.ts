import { backOff, type Clock } from '../clock.ts';
import { describe } from '../errors.ts';
import type { Http, HttpResponse } from '../http.ts';
import type { Log } from '../log.ts';
import type { AccessToken } from '../token-source.ts';
import { askedPause, mayPass, readEvents, resumption, type StreamPosition } from './event-stream.ts';
import { incomingMessages } from './incoming.ts';
import type { RawMessage } from './messages.ts';

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
  /** Whether the session is over; undefined when nobody could tell. */
  isOver(): Promise<boolean | undefined>;
}

const firstDelay = 1_000;
/** A stream that lasted this long, ms, or that brought an event, was worth opening. */
const worthwhile = 30_000;
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
  isOver,
}: ListeningOptions): Promise<void> {
  const { signal } = session.over;
  const position: StreamPosition = {};
  let refused: string | undefined;
  let fruitful = false;
  let served = false;

  const open = async (): Promise<HttpResponse> => {
    const access = await token(refused, signal);
    const headers = { ...sessionHeaders(session, access), accept: 'text/event-stream', ...resumption(position) };
    const response = await http.request(url, { method: 'GET', headers, signal, connection: 'new' });
    if (response.status === 401) refused = access?.fingerprint;
    return response;
  };
  const onEvent = async (data: string | Buffer) => {
    fruitful = true;
    // What is no message is passed by: asked for again, it would come again.
    for (const message of incomingMessages(data)) await onMessage(message);
  };

  /** 405: the server offers no stream of its own. What was refused from the beginning will be refused again. */
  const mayChange = async (response: HttpResponse): Promise<boolean> => {
    const { status } = response;
    if (status === 405) return false;
    if (status === 401 || mayPass(response)) return true;
    if (status === 404 && session.id !== undefined && (await isOver()) === undefined) return true;
    // The event that it is to go on from may be what the server does not know.
    const wasResuming = resumption(position) !== undefined;
    position.lastEventId = '';
    return wasResuming || served;
  };

  for (let attempt = 0; !signal.aborted; attempt++) {
    let streamed = false;
    let asked = 0;
    try {
      const response = await open();
      if (response.status === 200) {
        streamed = true;
        served = true;
        const since = clock.monotonic();
        await readEvents(response.body, position, onEvent, () => undefined).finally(() => {
          if (fruitful || clock.monotonic() - since >= worthwhile) attempt = 0;
          fruitful = false;
        });
      } else {
        response.body.resume();
        if (!(await mayChange(response))) return;
        asked = askedPause(response);
      }
    } catch (error) {
      if (!signal.aborted) log.debug('the event stream broke off', { why: describe(error) });
    }
    const pause = backOff(attempt, random, firstDelay);
    const { retry = pause } = position;
    await clock.sleep(streamed ? retry : Math.max(asked, retry, pause), signal);
  }
}
