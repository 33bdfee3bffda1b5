import type { IncomingMessage } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { HttpResponse } from '../http.ts';
import { parseRetryAfter } from '../oauth/refresh.ts';

/** A server that asks to be asked again at once, or next year, is asked within reason, ms. */
const shortestRetry = 100;
const longestRetry = 600_000;

/** What an event stream remembers between connections (WHATWG HTML, server-sent events). */
export interface StreamPosition {
  lastEventId?: string;
  /** The server's `retry:`, ms. */
  retry?: number;
}

/**
 * Reads a server-sent event stream to its end. Each event is awaited before more is read, so that a slow client slows
 * the server down instead of filling our memory. Rejects when the connection breaks.
 */
export async function readEvents(
  body: IncomingMessage,
  position: StreamPosition,
  onEvent: (data: string) => Promise<void>,
  onBytes: () => void,
): Promise<void> {
  const events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onRetry: (retry) => {
      position.retry = withinReason(retry);
    },
  });
  body.setEncoding('utf8');
  let isFirst = true;
  for await (const chunk of body) {
    onBytes();
    parser.feed(isFirst ? (chunk as string).replace(/^\ufeff/, '') : (chunk as string));
    isFirst = false;
    for (let event = events.shift(); event; event = events.shift()) {
      if (event.data !== '' && (event.event ?? 'message') === 'message') await onEvent(event.data);
      if (event.id !== undefined) position.lastEventId = event.id;
    }
  }
}

/** Asks for what came after the last event, whose id goes as UTF-8; undefined where there is nothing to go on from. */
export function resumption({ lastEventId = '' }: StreamPosition): Record<string, string> | undefined {
  const bytes = Buffer.from(lastEventId).toString('latin1');
  // What a header cannot hold cannot be asked for.
  return bytes === '' || /[^\t\x20-\x7e\x80-\xff]/.test(bytes) ? undefined : { 'last-event-id': bytes };
}

const passing = new Set([408, 409, 425, 429]);

/** Refusals that pass: the server is busy or broken, or still takes an earlier stream of ours for open. */
export function mayPass({ status }: HttpResponse): boolean {
  return status >= 500 || passing.has(status);
}

/** The pause that a refusal asks for, ms. */
export function askedPause(response: HttpResponse): number {
  return withinReason(parseRetryAfter(response.header('retry-after')) ?? 0);
}

function withinReason(pause: number): number {
  return Math.min(Math.max(pause, shortestRetry), longestRetry);
}
