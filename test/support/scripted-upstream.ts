import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** A request as the script sees it. */
export interface Arrived {
  /** Its bytes. */
  raw: string;
  // biome-ignore lint/suspicious/noExplicitAny: the script looks into whatever comes
  json: any;
  request: IncomingMessage;
  response: ServerResponse;
  socket: Socket;
}

/** What the script answers with. */
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
}

export interface ScriptedUpstream {
  url: string;
  /** POSTs in the order of their arrival. */
  arrived: readonly Arrived[];
  /** All that were no POSTs. */
  others: readonly IncomingMessage[];
  /** Resolves with the n-th POST that matches, past or to come. */
  waitFor(matches: (arrived: Arrived) => boolean, nth?: number): Promise<Arrived>;
  /** The same for what is no POST. */
  waitForOther(matches: (request: IncomingMessage) => boolean, nth?: number): Promise<IncomingMessage>;
}

/** `own`: the script writes the response itself, or never. Undefined: the server answers as it would. */
export type Script = (arrived: Arrived) => Answer | 'own' | undefined;

/** Answers a request that is no POST; by itself the server offers no event stream (405). */
export type Others = (request: IncomingMessage, response: ServerResponse) => void;

const noStream: Others = (_request, response) => void response.writeHead(405).end();

/** Capabilities of the scripted server, unless its script answers `initialize` itself. */
const described = {
  protocolVersion: '2025-11-25',
  capabilities: { tools: {} },
  serverInfo: { name: 'scripted', version: '1' },
};

/**
 * An MCP server without an SDK, whose bytes a test decides: for what a real one never says. By itself it answers
 * `initialize` and `ping`, takes notifications, and knows no other method.
 */
export async function scriptedUpstream(
  script: Script,
  other: Others = noStream,
  /** Before the body of a POST is read: a server may take its time. */
  beforeReading: (request: IncomingMessage) => Promise<void> | undefined = () => undefined,
): Promise<ScriptedUpstream> {
  const arrived: Arrived[] = [];
  const others: IncomingMessage[] = [];
  const watchers = new Set<() => void>();
  const note = <T>(list: T[], entry: T) => {
    list.push(entry);
    for (const watcher of [...watchers]) watcher();
  };
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') {
      note(others, request);
      return other(request, response);
    }
    await beforeReading(request);
    const raw = await text(request);
    const entry = { raw, json: JSON.parse(raw), request, response, socket: request.socket };
    note(arrived, entry);
    const answer = script(entry) ?? byItself(entry.json);
    if (answer === 'own') return;
    const { status = 200, headers = { 'content-type': 'application/json' }, body } = answer;
    response.writeHead(status, headers).end(body);
  });
  // Idle connections are the bridge's to end.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const waitIn = <T>(list: T[], matches: (entry: T) => boolean, nth = 1) =>
    new Promise<T>((resolve) => {
      const look = () => {
        const found = list.filter(matches)[nth - 1];
        if (!found) return;
        watchers.delete(look);
        resolve(found);
      };
      watchers.add(look);
      look();
    });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    arrived,
    others,
    waitFor: (matches, nth) => waitIn(arrived, matches, nth),
    waitForOther: (matches, nth) => waitIn(others, matches, nth),
  };
}

function byItself({ id, method }: { id?: unknown; method?: string }): Answer {
  if (method === undefined || id === undefined) return { status: 202 };
  if (method === 'initialize') return answered(id, described);
  if (method === 'ping') return answered(id, {});
  return { body: JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } }) };
}

export interface Sessions {
  /** Begins a session at each `initialize`; what names another one is unknown (404). */
  keep(script: Script): Script;
  /** The present session is over. */
  end(): void;
}

export function sessions(): Sessions {
  let nth = 0;
  let isOpen = false;
  const name = () => (isOpen ? `session-${nth}` : undefined);
  const keep =
    (script: Script): Script =>
    (arrived) => {
      const { id, method } = arrived.json;
      if (method !== 'initialize')
        return arrived.request.headers['mcp-session-id'] === name() ? script(arrived) : { status: 404 };
      nth += 1;
      isOpen = true;
      const headers = { 'content-type': 'application/json', 'mcp-session-id': name() as string };
      return { ...answered(id, described), headers };
    };
  const end = () => {
    isOpen = false;
  };
  return { keep, end };
}

/** A JSON answer with this result. */
export function answered(id: unknown, result: unknown): Answer {
  return { body: JSON.stringify({ jsonrpc: '2.0', id, result }) };
}

/** The script for one method. */
export function onMethod(method: string, script: Script): Script {
  return (arrived) => (arrived.json.method === method ? script(arrived) : undefined);
}

export function openStream({ response }: Arrived): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}

/** What the scripted server answers to `server/discover`. */
export const discovered = {
  supportedVersions: ['2026-07-28', '2026-11-30'],
  capabilities: { tools: {}, 'x/y': { z: 1 } },
  _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'scripted', version: '1' } },
  instructions: 'Ask.',
  resultType: 'complete',
  ttlMs: 3_600_000,
  cacheScope: 'public',
  'x-more': [],
};

/** One that speaks 2026-07-28, and whatever else the script says. */
export function scriptedModern(script: Script): Promise<ScriptedUpstream> {
  return scriptedUpstream((arrived) => {
    const answer = script(arrived);
    const { id, method } = arrived.json;
    return answer === undefined && method === 'server/discover' ? answered(id, discovered) : answer;
  });
}
