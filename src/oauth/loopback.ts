import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.ts';
import { BridgeError, errnoOf } from '../errors.ts';
import type { Http } from '../http.ts';
import { type Page, renderPage } from './page.ts';
import { pageSecurityPolicy } from './page-style.ts';

/** What the browser gets after its redirect was handled: a page under a clean address, or another authorize URL. */
export type CallbackAnswer = { page: Page } | { redirectTo: string };

export interface LoopbackOptions {
  /** Names the sign-in to other processes that ask whether this listener still lives. */
  id: string;
  port: number;
  onCallback(query: URLSearchParams): Promise<CallbackAnswer>;
  /** For a tab that asks for what is not here, or not any more. */
  lostPage: Page;
}

/** The ports of this machine, as far as a sign-in has to do with them. */
export interface LoopbackPorts {
  /** Port 0 means a free one. @throws BridgeError CONFIG_INVALID when the port is taken */
  listen(options: LoopbackOptions): Promise<Loopback>;
  /** True when the listener of sign-in `id` answers on `port`. */
  isListening(port: number, id: string): Promise<boolean>;
}

export interface Loopback {
  readonly port: number;
  readonly redirectUri: string;
  /** Resolves once the browser has fetched the page that it was sent to, or leaves it. */
  shown(): Promise<void>;
  close(): void;
}

const callbackPath = '/callback';
const resultPath = '/result';
const alivePath = '/sign-in/';
const probeTimeout = 2_000;
const fetchPatience = 1_000;

export function redirectUriOf(port: number): string {
  return `http://127.0.0.1:${port}${callbackPath}`;
}

export function createLoopbackPorts(http: Http, clock: Clock): LoopbackPorts {
  return {
    listen: (options) => listenForCallback(options, clock),
    isListening: (port, id) => isListening({ port, id, http, clock }),
  };
}

/** Listens on 127.0.0.1 for the redirect of the authorization server (RFC 8252 section 7.3). */
async function listenForCallback(options: LoopbackOptions, clock: Clock): Promise<Loopback> {
  const server = createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 10_000 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(options.port, error)));
    server.listen({ port: options.port, host: '127.0.0.1', exclusive: true }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  server.maxConnections = 64;
  const pages = createPages(clock);
  server.on('request', createHandler(`127.0.0.1:${port}`, pages, options));
  // A pending sign-in alone must not keep a process alive whose client is gone.
  server.unref();
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { port, redirectUri: redirectUriOf(port), shown: pages.shown, close };
}

interface Probe {
  port: number;
  id: string;
  http: Http;
  clock: Clock;
}

async function isListening({ port, id, http, clock }: Probe): Promise<boolean> {
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

/** The pages behind a clean address, and the browsers that are on their way to one. */
function createPages(clock: Clock) {
  const pages = new Map<string, { page: Page; fetched: () => void }>();
  const underWay = new Set<Promise<void>>();
  const setOut = () => {
    let arrived: () => void = () => undefined;
    const journey = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    underWay.add(journey);
    void journey.then(() => underWay.delete(journey));
    return arrived;
  };
  /** Gives the name under which the page waits to be fetched; nobody waits for it for long. */
  const add = (page: Page, fetched: () => void): string => {
    const name = `?${pages.size + 1}`;
    pages.set(name, { page, fetched });
    void clock.sleep(fetchPatience).then(fetched);
    return name;
  };
  const shown = async () => {
    await Promise.all(underWay);
  };
  return { setOut, add, shown, get: (name: string) => pages.get(name) };
}

type Pages = ReturnType<typeof createPages>;

function createHandler(host: string, pages: Pages, { id, onCallback, lostPage }: LoopbackOptions) {
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    // A page of another site that rebinds its name to 127.0.0.1 sends its own name here (product.md 11).
    if (request.headers.host !== host) return send(response, 421);
    if (request.method !== 'GET') return send(response, 405);
    const url = new URL(request.url ?? '/', `http://${host}`);
    if (url.pathname === `${alivePath}${id}`) return send(response, 204);
    if (url.pathname === callbackPath) return takeCallback(response, pages, onCallback(url.searchParams));
    const result = url.pathname === resultPath ? pages.get(url.search) : undefined;
    if (!result) return send(response, 404, renderPage(lostPage));
    response.once('close', result.fetched);
    send(response, 200, renderPage(result.page));
  };
  return (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response).catch(() => send(response, 500, renderPage({ ...lostPage, kind: 'failed' })));
  };
}

/** The redirect takes the code out of the address bar and the history (product.md 7). */
async function takeCallback(response: ServerResponse, pages: Pages, answering: Promise<CallbackAnswer>): Promise<void> {
  const arrived = pages.setOut();
  try {
    const answer = await answering;
    const location = 'redirectTo' in answer ? answer.redirectTo : `${resultPath}${pages.add(answer.page, arrived)}`;
    if ('redirectTo' in answer) response.once('close', arrived);
    response.setHeader('location', location);
    send(response, 303);
  } catch (error) {
    arrived();
    throw error;
  }
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
