import type { IncomingMessage } from 'node:http';
import type { HttpResponse } from '../http.ts';
import { parseRetryAfter } from '../oauth/refresh.ts';
import { createEventParser } from './event-parser.ts';

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
  onEvent: (data: string | Buffer) => Promise<void>,
  onBytes: () => void,
): Promise<void> {
  const parser = createEventParser((retry) => {
    position.retry = withinReason(retry);
  });
  for await (const chunk of body) {
    onBytes();
    for (const { data, type, id } of parser.feed(chunk as Buffer)) {
      if (data !== undefined && data.length > 0 && type === 'message') await onEvent(data);
      if (id !== undefined) position.lastEventId = id;
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
