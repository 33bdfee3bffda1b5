import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.ts';
import { BridgeError, errnoOf } from '../errors.ts';
import type { Http } from '../http.ts';
import { type Page, pageSecurityPolicy, renderPage } from './page.ts';

/** What the browser gets after its redirect was handled: a page under a clean address, or another authorize URL. */
export type CallbackAnswer = { page: Page } | { redirectTo: string };

export interface LoopbackOptions {
  /** Names the sign-in to other processes that ask whether this listener still lives. */
  id: string;
  port: number;
  onCallback(query: URLSearchParams): Promise<CallbackAnswer>;
}

export interface Loopback {
  readonly port: number;
  readonly redirectUri: string;
  close(): void;
}

const callbackPath = '/callback';
const resultPath = '/result';
const alivePath = '/sign-in/';
const probeTimeout = 2_000;

export function redirectUriOf(port: number): string {
  return `http://127.0.0.1:${port}${callbackPath}`;
}

/**
 * Listens on 127.0.0.1 for the redirect of the authorization server (RFC 8252 section 7.3). Port 0 means a free one.
 * @throws BridgeError CONFIG_INVALID when the port is taken
 */
export async function listenForCallback(options: LoopbackOptions): Promise<Loopback> {
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(options.port, error)));
    server.listen({ port: options.port, host: '127.0.0.1', exclusive: true }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  server.maxConnections = 64;
  server.on('request', createHandler(`127.0.0.1:${port}`, options));
  // A pending sign-in alone must not keep a process alive whose client is gone.
  server.unref();
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port, redirectUri: redirectUriOf(port), close };
}

/** True when the listener of sign-in `id` answers on `port`. */
export async function isListening(port: number, id: string, http: Http, clock: Clock): Promise<boolean> {
  const giveUp = new AbortController();
  void clock.sleep(probeTimeout).then(() => giveUp.abort());
  try {
    const url = new URL(`http://127.0.0.1:${port}${alivePath}${id}`);
    const response = await http.request(url, { method: 'GET', headers: {}, signal: giveUp.signal, connection: 'new' });
    response.body.resume();
    return response.status === 204;
  } catch {
    return false;
  }
}

function createHandler(host: string, { id, onCallback }: LoopbackOptions) {
  const results = new Map<string, Page>();
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    // A page of another site that rebinds its name to 127.0.0.1 sends its own name here (product.md 11).
    if (request.headers.host !== host) return send(response, 421);
    if (request.method !== 'GET') return send(response, 405);
    const url = new URL(request.url ?? '/', `http://${host}`);
    if (url.pathname === `${alivePath}${id}`) return send(response, 204);
    if (url.pathname === callbackPath) return sendCallbackAnswer(response, results, await onCallback(url.searchParams));
    const page = url.pathname === resultPath ? results.get(url.search) : undefined;
    return page ? send(response, 200, renderPage(page)) : send(response, 404);
  };
  return (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response).catch(() => send(response, 500));
  };
}

/** The redirect takes the code out of the address bar and the history (product.md 7). */
function sendCallbackAnswer(response: ServerResponse, results: Map<string, Page>, answer: CallbackAnswer): void {
  let location: string;
  if ('redirectTo' in answer) {
    location = answer.redirectTo;
  } else {
    const name = `?${results.size + 1}`;
    results.set(name, answer.page);
    location = `${resultPath}${name}`;
  }
  response.setHeader('location', location);
  send(response, 303);
}

function send(response: ServerResponse, status: number, html = ''): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': pageSecurityPolicy,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  });
  response.end(html);
}

function portError(port: number, error: unknown): BridgeError {
  const why = errnoOf(error) === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${errnoOf(error)})`;
  return new BridgeError('CONFIG_INVALID', `callback port ${port} ${why}`, {
    cause: error,
    hint: 'choose another `--callback-port`, or leave it out for a free one',
  });
}
