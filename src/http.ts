import { type Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { type Clock, createDeadline } from './clock.ts';
import { type ConnectionChoice, createConnections, isLoopback, type ProxyFor } from './connections.ts';
import { BridgeError, describe, errnoOf } from './errors.ts';

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
  /** `pooled` by default. */
  connection?: ConnectionChoice;
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
    super(describe(cause), { cause });
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
  /** The proxy through which a request to this URL goes; '' for none. */
  proxyOf(url: URL): string;
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
const fetchBodyLimit = 1024 * 1024;
const fetchTimeout = 30_000;

/** Only `https:`, or `http:` to a loopback host, is ever fetched or opened (product.md 11). */
export function isTrustworthy(url: URL): boolean {
  if (url.username || url.password) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** `proxyFor` and `addresses`: see `createConnections`. */
export function createHttp(clock: Clock, proxyFor: ProxyFor = () => '', addresses?: () => string): Http {
  const connections = createConnections(clock, proxyFor, addresses);

  const request = (url: URL, init: HttpRequest) => {
    if (!isTrustworthy(url)) {
      throw new BridgeError('CONFIG_INVALID', `${url.protocol}//${url.host} is neither https nor on this machine`);
    }
    return exchange(url, init, connections.agentFor(url, init.connection ?? 'pooled'));
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

  return { request, fetch, proxyOf: connections.proxyOf, closeIdle: connections.closeIdle };
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

/** The whole body. @throws ConnectionError when it breaks off or is longer than `limit` bytes. */
export async function readBytes({ body }: HttpResponse, limit: number, onBytes?: () => void): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      onBytes?.();
      parts.push(part);
      length += part.length;
      if (length > limit) throw new Error(`the answer is longer than ${limit} bytes`);
    }
  } catch (error) {
    throw new ConnectionError(true, error);
  }
  return Buffer.concat(parts, length);
}

/** The whole body as text. @throws ConnectionError as `readBytes` does. */
export async function readBody(response: HttpResponse, limit: number): Promise<string> {
  return (await readBytes(response, limit)).toString().replace(/^\ufeff/, '');
}
