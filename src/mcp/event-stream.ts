import type { IncomingMessage } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

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
      position.retry = Math.min(Math.max(retry, shortestRetry), longestRetry);
    },
  });
  body.setEncoding('utf8');
  for await (const chunk of body) {
    onBytes();
    parser.feed(chunk as string);
    for (let event = events.shift(); event; event = events.shift()) {
      if (event.data !== '' && (event.event ?? 'message') === 'message') await onEvent(event.data);
      if (event.id !== undefined) position.lastEventId = event.id;
    }
  }
}
