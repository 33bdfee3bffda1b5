import { backOff, type Clock, longestAbsence } from '../clock.ts';
import { BridgeError, describe } from '../errors.ts';
import type { Http, HttpResponse } from '../http.ts';
import { askedPause, mayPass, readEvents, resumption, type StreamPosition } from './event-stream.ts';

interface AnswerStreamOptions {
  http: Http;
  clock: Clock;
  random: () => number;
  url: URL;
  signal: AbortSignal;
  /** By now the token may be another one. `refused`: the last one was. @throws BridgeError when none could be had */
  headersAgain(refused: boolean, signal: AbortSignal): Promise<Record<string, string>>;
  onEvent(data: string | Buffer): Promise<void>;
  /** The server gave a sign of life. */
  onBytes(): void;
  /** Without sessions a stream is not (2026-07-28). */
  isResumable: boolean;
  /** The answer has come. */
  isAnswered(): boolean;
}

/** A stream, or why there will be none, or neither yet; `asked`: the pause that the server asked for, ms. */
interface Resumed {
  response?: HttpResponse;
  why?: string;
  asked?: number;
}

const firstDelay = 1_000;

/**
 * Reads the stream that an answer comes on. Cut, it is resumed for as long as it has an event id to go on from (2025-11-25,
 * Resumability). Resolves with why there is no answer, or with nothing when there is. @throws when the signal aborts
 */
export async function readAnswerStream(
  first: HttpResponse,
  { http, clock, random, url, signal, headersAgain, onEvent, onBytes, isResumable, isAnswered }: AnswerStreamOptions,
): Promise<string | undefined> {
  const position: StreamPosition = {};
  let failures = 0;

  const read = async ({ body }: HttpResponse) => {
    const onNext = (data: string | Buffer) => {
      failures = 0;
      return onEvent(data);
    };
    await readEvents(body, position, onNext, onBytes).catch((error) => {
      if (signal.aborted && !isAnswered()) throw error;
    });
  };

  const ask = async (from: Record<string, string>, refused: boolean) => {
    const headers = { ...(await headersAgain(refused, signal)), accept: 'text/event-stream', ...from };
    const response = await http.request(url, { method: 'GET', headers, signal, connection: 'new' });
    onBytes();
    if (response.status !== 200) response.body.resume();
    return response;
  };

  const resume = async (from: Record<string, string>): Promise<Resumed> => {
    try {
      let response = await ask(from, false);
      if (response.status === 401) response = await ask(from, true);
      if (response.status === 200 && isEventStream(response)) return { response };
      response.body.resume();
      return mayPass(response) ? { asked: askedPause(response) } : { why: `status ${response.status} on resuming` };
    } catch (error) {
      if (signal.aborted) throw error;
      return error instanceof BridgeError ? { why: describe(error) } : {};
    }
  };

  let { response, asked = 0 }: Resumed = { response: first };
  for (;;) {
    if (response) await read(response);
    if (isAnswered()) return undefined;
    const from = isResumable ? resumption(position) : undefined;
    if (!from) return 'the answer was cut off';
    const pause = backOff(failures, random, firstDelay, longestAbsence);
    const { retry = pause } = position;
    failures += 1;
    // A short `retry` does not hurry a server that is away.
    await clock.sleep(response ? retry : Math.max(asked, retry, pause), signal);
    const resumed = await resume(from);
    if (resumed.why !== undefined) return `the answer was cut off (${resumed.why})`;
    ({ response, asked = 0 } = resumed);
  }
}

function isEventStream(response: HttpResponse): boolean {
  return response.header('content-type')?.toLowerCase().startsWith('text/event-stream') ?? false;
}
