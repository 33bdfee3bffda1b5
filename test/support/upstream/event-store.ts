import type { EventStore } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';

interface Stored {
  streamId: string;
  message: JSONRPCMessage;
}

/** Keeps every event of one session, so that `Last-Event-ID` can resume any of its streams. */
export function createEventStore(): EventStore {
  const events: Stored[] = [];
  const position = (eventId: string): number => Number(eventId.split('#').at(-1));
  return {
    async storeEvent(streamId, message) {
      events.push({ streamId, message });
      return `${streamId}#${events.length - 1}`;
    },
    async getStreamIdForEventId(eventId) {
      return events[position(eventId)]?.streamId;
    },
    async replayEventsAfter(lastEventId, { send }) {
      const last = position(lastEventId);
      const streamId = events[last]?.streamId ?? '';
      for (const [index, event] of events.entries()) {
        // A priming event is stored as an empty message and is not part of the conversation.
        const replayed = index > last && event.streamId === streamId && 'jsonrpc' in event.message;
        if (replayed) await send(`${streamId}#${index}`, event.message);
      }
      return streamId;
    },
  };
}
