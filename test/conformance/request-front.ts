import type { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import {
  classifyInboundRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type RequestId,
  SUBSCRIPTION_ID_META_KEY,
  PerRequestHTTPServerTransport as Transport,
} from '@modelcontextprotocol/server';
import type { Front } from './front.ts';

/** A request of one of the runner's clients, whose ids are not each other's. */
interface Open {
  http: Transport;
  id: RequestId;
  progressToken: unknown;
}

/** The wire without sessions (2026-07-28): each request stands for itself, and one bridge takes them all. */
export async function createRequestFront(bridge: StdioClientTransport): Promise<Front> {
  const open = new Map<RequestId, Open>();
  let lastId = 0;

  bridge.onmessage = (message: JSONRPCMessage) => {
    const found = isJSONRPCResponse(message) ? open.get(message.id ?? '') : about(message as JSONRPCNotification, open);
    if (!found) return;
    if (isJSONRPCResponse(message)) open.delete(message.id ?? '');
    void found.http.send(forClient(message, found.id), { relatedRequestId: found.id });
  };
  await bridge.start();

  const forward = async (message: JSONRPCRequest | JSONRPCNotification, http: Transport, request: Request) => {
    const id = `front-${++lastId}`;
    const toBridge = 'id' in message ? { ...message, id } : message;
    if ('id' in message) open.set(id, { http, id: message.id, progressToken: message.params?._meta?.progressToken });
    http.onmessage = () => void bridge.send(toBridge);
    // Closing the stream is how this wire cancels; stdio has a notification for it.
    http.onclose = () => {
      if (!open.delete(id)) return;
      void bridge.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    };
    await http.start();
    return withStatus(await http.handleMessage(message, { request }));
  };

  const handle = async (request: Request) => {
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const body: unknown = request.method === 'POST' ? await request.json().catch(() => undefined) : undefined;
    const told = {
      protocolVersionHeader: header('mcp-protocol-version'),
      mcpMethodHeader: header('mcp-method'),
      mcpNameHeader: header('mcp-name'),
    };
    const given = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined));
    const outcome = classifyInboundRequest({ httpMethod: request.method, ...given, body });
    if (outcome.kind === 'modern')
      return forward(outcome.message, new Transport({ classification: outcome.classification }), request);
    if (outcome.kind !== 'reject') return new Response(null, { status: request.method === 'POST' ? 400 : 405 });
    const { code, message, data, httpStatus } = outcome;
    const id = (body as { id?: RequestId } | undefined)?.id ?? null;
    return Response.json({ jsonrpc: '2.0', id, error: { code, message, data } }, { status: httpStatus });
  };
  return { handle, close: () => bridge.close() };
}

/** Where HTTP has a status of its own for an error; over stdio the code says it all. */
const statuses: Record<number, number> = { [-32601]: 404, [-32020]: 400, [-32021]: 400, [-32022]: 400 };

async function withStatus(response: Response): Promise<Response> {
  if (!response.headers.get('content-type')?.startsWith('application/json')) return response;
  const body = (await response.json()) as { error?: { code: number } };
  return Response.json(body, { status: statuses[body.error?.code ?? 0] ?? response.status });
}

/** The request that a notification is about: by its subscription or its progress, else the last that has no answer yet. */
function about({ params }: JSONRPCNotification, open: Map<RequestId, Open>): Open | undefined {
  const subscription = params?._meta?.[SUBSCRIPTION_ID_META_KEY] as RequestId | undefined;
  if (subscription !== undefined) return open.get(subscription);
  const all = [...open.values()];
  return (
    all.find(({ progressToken }) => progressToken !== undefined && progressToken === params?.progressToken) ??
    all.at(-1)
  );
}

/** The client's own id again, where the bridge was given one of ours. */
function forClient(message: JSONRPCMessage, id: RequestId): JSONRPCMessage {
  if (isJSONRPCResponse(message)) message = { ...message, id };
  const holder = 'params' in message ? message.params : 'result' in message ? message.result : undefined;
  const meta = holder?._meta as Record<string, unknown> | undefined;
  if (meta?.[SUBSCRIPTION_ID_META_KEY] === undefined) return message;
  const withId = { ...holder, _meta: { ...meta, [SUBSCRIPTION_ID_META_KEY]: id } };
  return ('params' in message ? { ...message, params: withId } : { ...message, result: withId }) as JSONRPCMessage;
}
