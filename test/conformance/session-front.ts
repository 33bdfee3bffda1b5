import { randomUUID } from 'node:crypto';
import type { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import {
  isInitializeRequest,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type RequestId,
  WebStandardStreamableHTTPServerTransport as Transport,
} from '@modelcontextprotocol/server';
import { createEventStore } from '../support/upstream/event-store.ts';
import type { Front } from './front.ts';

/** The runner leaves its sessions open, and each is a bridge: the oldest one makes room. */
const mostSessions = 4;

/** The wire with sessions: one bridge for each. */
export function createSessionFront(spawn: () => StdioClientTransport): Front {
  const sessions = new Map<string, Transport>();

  const begin = async () => {
    const transport = new Transport({
      sessionIdGenerator: randomUUID,
      eventStore: createEventStore(),
      retryInterval: 500,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    const [oldest] = sessions;
    if (oldest && sessions.size >= mostSessions) {
      sessions.delete(oldest[0]);
      await oldest[1].close();
    }
    await join(transport, spawn());
    return transport;
  };

  const handle = async (request: Request) => {
    const known = sessions.get(request.headers.get('mcp-session-id') ?? '');
    if (known) return known.handleRequest(request);
    const parsedBody: unknown = request.method === 'POST' ? await request.json() : undefined;
    if (!isInitializeRequest(parsedBody)) return new Response(null, { status: 404 });
    return (await begin()).handleRequest(request, { parsedBody });
  };
  const close = async () => {
    await Promise.all([...sessions.values()].map((transport) => transport.close()));
  };
  return { handle, close };
}

/** What the bridge says by itself goes on the stream of the request that it must be about: the last one that has no answer yet. */
async function join(http: Transport, bridge: StdioClientTransport): Promise<void> {
  const waiting = new Map<RequestId, unknown>();
  http.onmessage = (message: JSONRPCMessage) => {
    if (isJSONRPCRequest(message)) waiting.set(message.id, message.params?._meta?.progressToken);
    void bridge.send(message);
  };
  bridge.onmessage = (message: JSONRPCMessage) => {
    if (isJSONRPCResponse(message) && message.id !== undefined) waiting.delete(message.id);
    void http.send(message, about(message, waiting));
  };
  http.onclose = () => void bridge.close();
  bridge.onclose = () => void http.close();
  await bridge.start();
}

function about(message: JSONRPCMessage, waiting: Map<RequestId, unknown>): { relatedRequestId?: RequestId } {
  const token = isJSONRPCNotification(message) ? message.params?.progressToken : undefined;
  const told = [...waiting].find(([, other]) => token !== undefined && other === token)?.[0];
  const relatedRequestId = told ?? [...waiting.keys()].at(-1);
  const isListChange = isJSONRPCNotification(message) && message.method.endsWith('list_changed');
  return isJSONRPCResponse(message) || isListChange || relatedRequestId === undefined ? {} : { relatedRequestId };
}
