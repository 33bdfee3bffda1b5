import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text as readText } from 'node:stream/consumers';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { type Clock, createDeadline } from './clock.ts';
import { BridgeError, errnoOf } from './errors.ts';

export interface HttpRequest {
  method: 'GET' | 'POST' | 'DELETE';
  headers: Record<string, string>;
  body?: string | undefined;
  /** Ends the exchange at any point. */
  signal?: AbortSignal | undefined;
  /** Ends it only while nothing was sent: when this aborts after the connection stood, nothing happens. */
  unsentSignal?: AbortSignal | undefined;
  /** Called once the connection stands: from here on the server may have seen the request. */
  onSent?: (() => void) | undefined;
  /**
   * `recent`: a connection used within the last 2 s, or a new one, so that a stale pooled connection cannot make the
   * outcome of a change unknown (product.md 8). `pooled`: any idle connection. `new`: always a new one.
   */
  connection?: 'pooled' | 'recent' | 'new';
}

export interface HttpResponse {
  status: number;
  header(name: string): string | undefined;
  body: IncomingMessage;
}

/** The exchange broke without an answer. `sent` is false only when the server surely saw nothing of the request. */
export class ConnectionError extends Error {
  readonly sent: boolean;
  /** The certificate is not one to trust: asking again does not help. */
  readonly isUntrusted: boolean;
  constructor(sent: boolean, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'ConnectionError';
    this.sent = sent;
    this.isUntrusted = /CERT|LEAF_SIGNATURE/.test(errnoOf(cause) ?? '');
  }
}

export interface Http {
  /** @throws ConnectionError */
  request(url: URL, request: HttpRequest): Promise<HttpResponse>;
  /** A `fetch` for oauth4webapi: no redirects, body at most 1 MB; 30 s, or until the caller's own `signal`. @throws ConnectionError */
  readonly fetch: (url: string, init: FetchInit) => Promise<Response>;
  /** Ends idle connections, when none of them can be trusted any more. */
  closeIdle(): void;
}

interface FetchInit {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

const connectTimeout = 10_000;
/**
 * A connection whose other end is gone without a word (another network, sleep) is found by the kernel after this much
 * silence, ms, and ten probes a second apart: in the time in which silence of a server is (product.md 4).
 */
const halfOpen = 30_000;
const recentIdle = 2_000;
const pooledIdle = 60_000;
/** Looking at the addresses of this machine takes longer than a small request, ms. */
const addressesKept = 1_000;
const fetchBodyLimit = 1024 * 1024;
const fetchTimeout = 30_000;

/** Only `https:`, or `http:` to a loopback host, is ever fetched or opened (product.md 11). */
export function isTrustworthy(url: URL): boolean {
  if (url.username || url.password) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** The URL of the proxy for a URL, or '' where there is none. */
export type ProxyFor = (url: string) => string;

/**
 * `proxyFor` is never asked about this machine: the sign-in's own listener must not be looked for elsewhere.
 * `addresses`: those of this machine, in one text.
 */
export function createHttp(clock: Clock, proxyFor: ProxyFor = () => '', addresses = ownAddresses): Http {
  /** By the URL of the proxy; '' is no proxy. */
  const pools = new Map<string, Pools>();
  let lastWall = clock.now();
  let lastMonotonic = clock.monotonic();
  let lastAddresses = addresses();
  let lookedAt = lastMonotonic;
  /** By the monotonic clock. Timers alone would leave a stale connection to a process that stood still. */
  const idleSince = new WeakMap<Socket, number>();
  const closeAllIdle = () => {
    for (const { pooled, recent, new: fresh } of pools.values()) {
      for (const { http, https } of [pooled, recent, fresh]) {
        closeIdle(http);
        closeIdle(https);
      }
    }
  };

  const poolsFor = (url: URL): Pools => {
    const proxy = isLoopback(url.hostname) ? '' : proxyFor(url.href);
    const known = pools.get(proxy) ?? createPools(proxy, (socket) => idleSince.set(socket, clock.monotonic()));
    pools.set(proxy, known);
    return known;
  };

  /** A laptop that slept shows as wall-clock time that the monotonic clock did not see; timers of idle sockets did not run. */
  const closeAfterGap = () => {
    const gap = clock.now() - lastWall - (clock.monotonic() - lastMonotonic);
    lastWall = clock.now();
    lastMonotonic = clock.monotonic();
    if (Math.abs(gap) > recentIdle) closeAllIdle();
  };

  /** In another network the connections of the last one are dead, and nobody says so: what is sent on them waits for minutes. */
  const closeAfterMove = () => {
    if (clock.monotonic() - lookedAt < addressesKept) return;
    lookedAt = clock.monotonic();
    const present = addresses();
    if (present !== lastAddresses) closeAllIdle();
    lastAddresses = present;
  };

  const request = (url: URL, init: HttpRequest) => {
    if (!isTrustworthy(url)) {
      throw new BridgeError('CONFIG_INVALID', `${url.protocol}//${url.host} is neither https nor on this machine`);
    }
    closeAfterGap();
    closeAfterMove();
    const pool = poolsFor(url)[init.connection ?? 'pooled'];
    const agent = url.protocol === 'https:' ? pool.https : pool.http;
    const earliest = clock.monotonic() - pool.idle;
    closeIdle(agent, (socket) => !socket.writable || (idleSince.get(socket) ?? 0) < earliest);
    return exchange(url, init, agent);
  };

  const fetch = async (url: string, init: FetchInit) => {
    // A refresh may take longer, and brings its own limit (product.md 6.2).
    const deadline = init.signal ? undefined : createDeadline(clock, fetchTimeout);
    try {
      const body = init.body === undefined || init.body === null ? undefined : String(init.body);
      const method = init.method === 'POST' ? 'POST' : 'GET';
      const signal = init.signal ?? deadline?.signal;
      const sent = { method, headers: init.headers ?? {}, body, signal, connection: 'new' } as const;
      const response = await request(new URL(url), sent);
      const text = await readBody(response, fetchBodyLimit);
      const status = response.status;
      const headers = new Headers();
      for (const [name, value] of Object.entries(response.body.headers)) headers.set(name, String(value));
      return new Response(status === 204 || status === 304 ? null : text, { status, headers });
    } finally {
      deadline?.release();
    }
  };

  return { request, fetch, closeIdle: closeAllIdle };
}

function ownAddresses(): string {
  try {
    const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
    return all.map(({ address }) => address).join();
  } catch {
    // Some sandboxes do not tell.
    return '';
  }
}

type Pool = { http: HttpAgent; https: HttpAgent; idle: number };
type Pools = Record<NonNullable<HttpRequest['connection']>, Pool>;
type OnIdle = (socket: Socket) => void;

function createPools(proxy: string, onIdle: OnIdle): Pools {
  const create = (idle: number) => createPool(idle, proxy, onIdle);
  return { pooled: create(pooledIdle), recent: create(recentIdle), new: create(0) };
}

function createPool(idle: number, proxy: string, onIdle: OnIdle): Pool {
  const options = idle === 0 ? { keepAlive: false } : { keepAlive: true, timeout: idle, scheduling: 'lifo' as const };
  const http = new HttpAgent(options);
  const https = proxy === '' ? new HttpsAgent(options) : new HttpsProxyAgent(proxy, options);
  for (const agent of [http, https]) agent.on('free', onIdle);
  return { http, https, idle };
}

/** Before its `close` event, which comes later, an agent would still give out a connection that is being closed. */
function closeIdle(agent: HttpAgent, isStale: (socket: Socket) => boolean = () => true): void {
  for (const socket of Object.values(agent.freeSockets).flatMap((sockets) => [...(sockets ?? [])])) {
    if (!isStale(socket)) continue;
    socket.emit('agentRemove');
    socket.destroy();
  }
}

function exchange(url: URL, init: HttpRequest, agent: HttpAgent): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    let sent = false;
    const body = init.body === undefined ? undefined : Buffer.from(init.body);
    const headers = body ? { ...init.headers, 'content-length': String(body.length) } : init.headers;
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, { method: init.method, headers, agent, ...(init.signal ? { signal: init.signal } : {}) });
    const giveUp = () => {
      if (!sent) request.destroy(new Error('gave up before the connection stood'));
    };
    const slow = setTimeout(giveUp, connectTimeout);
    init.unsentSignal?.addEventListener('abort', giveUp);
    const connected = () => {
      sent = true;
      request.socket?.setKeepAlive(true, halfOpen);
      init.onSent?.();
      clearTimeout(slow);
      init.unsentSignal?.removeEventListener('abort', giveUp);
    };
    request.on('socket', (socket: Socket & { secureConnecting?: boolean }) => {
      // A handshake through a proxy begins on a connection that stands already.
      if (!socket.connecting && !socket.secureConnecting) return connected();
      socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', connected);
    });
    request.on('response', (message) => resolve(asResponse(message)));
    request.on('error', (error) => {
      clearTimeout(slow);
      init.unsentSignal?.removeEventListener('abort', giveUp);
      reject(new ConnectionError(sent, error));
    });
    if (init.unsentSignal?.aborted) giveUp();
    request.end(body);
  });
}

function asResponse(message: IncomingMessage): HttpResponse {
  return {
    status: message.statusCode ?? 0,
    header: (name) => message.headers[name]?.toString(),
    body: message,
  };
}

/** The whole body as text. @throws ConnectionError when it breaks off or is longer than `limit` bytes. */
export async function readBody(response: HttpResponse, limit: number, onBytes?: () => void): Promise<string> {
  let length = 0;
  response.body.on('data', (chunk: Buffer) => {
    onBytes?.();
    length += chunk.length;
    if (length > limit) response.body.destroy(new Error(`the answer is longer than ${limit} bytes`));
  });
  try {
    return await readText(response.body);
  } catch (error) {
    throw new ConnectionError(true, error);
  }
}
