import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Handler } from './authorization.ts';
import { Connections } from './connections.ts';
import type { Faults, Outcome } from './faults.ts';
import { onOwnPort } from './own-port.ts';
import { readEntry } from './request-entry.ts';
import type { RequestEntry, RequestLog } from './request-log.ts';

export interface FrontParts {
  log: RequestLog;
  faults: Faults;
  handler: () => Handler;
  /** For the Date header, ms since the epoch; the real time by default. */
  now?: () => number;
}

/** node:http on 127.0.0.1 in front of a Request/Response handler: logs, applies faults, streams. */
export class Front {
  readonly connections = new Connections();
  readonly #parts: FrontParts;
  readonly #streams = new Set<ServerResponse>();
  #server: Server | undefined;

  constructor(parts: FrontParts) {
    this.#parts = parts;
  }

  /** Listens and returns the port; 0 takes one of its own. */
  async listen(port: number): Promise<number> {
    if (this.#server) throw new Error('the upstream is listening already');
    return port === 0 ? onOwnPort((own) => this.#listen(own)) : this.#listen(port);
  }

  async #listen(port: number): Promise<number> {
    const server = createServer((request, response) => void this.#serve(request, response));
    this.connections.watch(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    this.#server = server;
    return port;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) throw new Error('the upstream is not listening');
    this.#server = undefined;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }

  get listening(): boolean {
    return this.#server !== undefined;
  }

  /** Cuts the connection under every event stream that is open. */
  cutStreams(): number {
    const open = [...this.#streams];
    for (const response of open) response.socket?.destroy();
    return open.length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log, faults, handler } = this.#parts;
    if (this.connections.cutsOff(request)) return;
    const body = await readBody(request).catch(() => undefined);
    if (!body) return;
    const entry = readEntry(request, body);
    log.arrived(entry);
    const handle = (): Promise<Response> => answer(handler(), { request, body, entry });
    const outcome = await faults.through(entry, handle).catch((error) => ({ response: broken(error) }));
    await this.#send(response, outcome, entry).catch(() => response.destroy());
  }

  async #send(response: ServerResponse, outcome: Outcome, entry: RequestEntry): Promise<void> {
    if (!outcome.response || response.destroyed) {
      response.socket?.destroy();
      this.#parts.log.lost(entry);
      return outcome.response?.body?.cancel();
    }
    // A flat list, because an answer may set several cookies.
    const { now = Date.now } = this.#parts;
    const date = new Date(now()).toUTCString();
    response.writeHead(outcome.response.status, ['date', date, ...[...outcome.response.headers].flat()]);
    response.flushHeaders();
    if (isEventStream(outcome.response)) this.#follow(response);
    this.#parts.log.answered(entry, outcome.response.status);
    await stream(outcome.response, response);
    if (outcome.cut) await cutAfterBody(response);
    else response.end();
  }

  #follow(response: ServerResponse): void {
    this.#streams.add(response);
    response.once('close', () => this.#streams.delete(response));
  }
}

interface Arrival {
  request: IncomingMessage;
  body: Buffer;
  entry: RequestEntry;
}

async function answer(handler: Handler, { request, body, entry }: Arrival): Promise<Response> {
  const { method = 'GET', headers, url = '/' } = request;
  const init: RequestInit = { method, headers: entry.headers };
  if (method !== 'GET' && method !== 'HEAD') init.body = new Uint8Array(body);
  try {
    return await handler(new Request(`http://${headers.host}${url}`, init), entry);
  } catch (error) {
    return broken(error);
  }
}

function broken(error: unknown): Response {
  return Response.json({ error: 'server_error', error_description: String(error) }, { status: 500 });
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function isEventStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
}

/** Once what was written is out of the process; destroying the socket earlier would drop it. */
async function cutAfterBody(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => response.write('', () => resolve()));
  response.socket?.destroy();
}

async function stream(source: Response, response: ServerResponse): Promise<void> {
  const reader = source.body?.getReader();
  response.once('close', () => void reader?.cancel().catch(() => {}));
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    if (!response.write(part.value)) await drained(response);
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      response.off('drain', goOn).off('close', goOn);
      resolve();
    };
    response.on('drain', goOn).on('close', goOn);
  });
}
