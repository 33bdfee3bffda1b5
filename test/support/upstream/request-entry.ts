import type { IncomingMessage } from 'node:http';
import { type Endpoint, fingerprint, type RequestEntry } from './request-log.ts';

/** What is read of a request besides its body. */
export type RequestHead = Pick<IncomingMessage, 'method' | 'url' | 'headers'>;

const ENDPOINTS: Record<string, Endpoint> = {
  '/register': 'register',
  '/authorize': 'authorize',
  '/token': 'token',
  '/mcp': 'mcp',
};

export function readEntry(request: RequestHead, body: Buffer): RequestEntry {
  const headers = flat(request);
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const form = readForm(headers, body);
  const json = readJson(headers, body);
  const entry = { at: Date.now(), endpoint: endpointOf(path, form), method: request.method ?? 'GET', path, headers };
  const query = new URLSearchParams(request.url?.split('?')[1]);
  return {
    ...entry,
    ...present({ form, json, grantType: form?.grant_type }),
    ...present({ clientId: form?.client_id ?? basicUser(headers) ?? query.get('client_id') }),
    ...present({ sessionId: headers['mcp-session-id'], protocolVersion: headers['mcp-protocol-version'] }),
    ...present({ lastEventId: headers['last-event-id'], accessToken: bearerFingerprint(headers) }),
    ...rpcOf(json),
  };
}

// RFC 7009: Notion's revocation endpoint is its token endpoint; only the form tells them apart (notion-wire.md).
function endpointOf(path: string, form: Record<string, string> | undefined): Endpoint {
  if (path.startsWith('/.well-known/')) return 'metadata';
  const endpoint = ENDPOINTS[path] ?? 'other';
  return endpoint === 'token' && form?.token !== undefined && form.grant_type === undefined ? 'revoke' : endpoint;
}

function flat(request: RequestHead): Record<string, string> {
  const pairs = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const);
  return Object.fromEntries(pairs);
}

function readForm(headers: Record<string, string>, body: Buffer): Record<string, string> | undefined {
  if (!headers['content-type']?.includes('x-www-form-urlencoded')) return undefined;
  return Object.fromEntries(new URLSearchParams(body.toString('utf8')));
}

function readJson(headers: Record<string, string>, body: Buffer): unknown {
  if (!headers['content-type']?.includes('json')) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function basicUser(headers: Record<string, string>): string | undefined {
  const encoded = /^Basic (.+)$/i.exec(headers.authorization ?? '')?.[1];
  if (!encoded) return undefined;
  return decodeURIComponent(Buffer.from(encoded, 'base64').toString('utf8').split(':')[0] ?? '');
}

function bearerFingerprint(headers: Record<string, string>): string | undefined {
  const token = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
  return token ? fingerprint(token) : undefined;
}

function rpcOf(json: unknown): { rpc?: string; tool?: string } {
  const message = (Array.isArray(json) ? json[0] : json) as { method?: string; params?: { name?: string } } | undefined;
  const tool = message?.method === 'tools/call' ? message.params?.name : undefined;
  return present({ rpc: message?.method, tool });
}

type Present<T> = { [K in keyof T]?: NonNullable<T[K]> };

function present<T extends object>(members: T): Present<T> {
  const pairs = Object.entries(members).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(pairs) as Present<T>;
}
