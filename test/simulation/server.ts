import { createHash } from 'node:crypto';
import { createAuthorization } from '../support/upstream/authorization.ts';
import { Grants } from '../support/upstream/grants.ts';
import { MemoryKv } from '../support/upstream/kv.ts';
import { readEntry } from '../support/upstream/request-entry.ts';
import type { RequestEntry } from '../support/upstream/request-log.ts';
import { createStrictGuard, lenient } from '../support/upstream/strict.ts';
import { loadProviderLibrary } from '../support/upstream/worker.ts';
import type { VirtualTime } from './virtual-time.ts';

export type Rotation = 'lenient' | 'strict';

export interface Lifetimes {
  /** Seconds. */
  accessToken: number;
  /** Seconds from the sign-in. */
  grant: number;
  /** Seconds from the registration. */
  registration: number;
}

/** A request as it arrives. */
export interface Arrival {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: string | undefined;
}

/** A response whose body was read, as it leaves. */
export interface Departure {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** The authorization server that Notion runs, and a resource behind it, on virtual time. */
export interface SimulatedServer {
  readonly origin: string;
  readonly rotation: Rotation;
  readonly lifetimes: Lifetimes;
  readonly kv: MemoryKv;
  readonly grants: Grants;
  /** Handles a request to its end. Time does not pass meanwhile. */
  handle(arrival: Arrival): Promise<{ entry: RequestEntry; departure: Departure }>;
  /** True while `handle` works. */
  isBusy(): boolean;
}

const origin = 'http://127.0.0.1:9';

export async function createServer(
  time: VirtualTime,
  rotation: Rotation,
  lifetimes: Lifetimes,
): Promise<SimulatedServer> {
  const clock = { now: time.now, advance: () => undefined };
  const kv = new MemoryKv(clock);
  const grants = new Grants(kv);
  const guard = rotation === 'strict' ? createStrictGuard(grants) : lenient;
  const library = await loadProviderLibrary();
  const mcp = async () => {
    throw new Error('the resource is asked without the library');
  };
  const world = { clock, documents: new Map<string, unknown>(), isAlone: true } as const;
  const options = {
    origin,
    user: 'ada',
    accessTokenTtl: lifetimes.accessToken,
    refreshTokenTtl: lifetimes.grant,
    refreshTokenIdleTtl: undefined,
    registrationTtl: lifetimes.registration,
    issParameter: false,
    expiresIn: undefined,
  };
  const handler = createAuthorization({ library, world, kv, grants, guard, mcp }, options);
  /**
   * Looks where the library looks when it checks an access token, without the decryption that follows: half of the time
   * of a run went there.
   */
  const askResource = (token: string, body: string): Departure => {
    const [user, grant] = token.split(':');
    const id = createHash('sha256').update(token).digest('hex');
    if (kv.peek(`token:${user}:${grant}:${id}`) === undefined) {
      const challenge = `Bearer realm="OAuth", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
      return { status: 401, headers: { 'www-authenticate': challenge }, body: '{"error":"invalid_token"}' };
    }
    const { id: answerTo } = JSON.parse(body) as { id: number };
    const answer = { jsonrpc: '2.0', id: answerTo, result: {} };
    return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer) };
  };

  let busy = 0;
  const handle: SimulatedServer['handle'] = async ({ method, url, headers, body }) => {
    busy += 1;
    try {
      const entry = readEntry({ method, url: url.pathname + url.search, headers }, Buffer.from(body ?? ''));
      if (entry.endpoint === 'mcp') {
        const token = headers.authorization?.replace(/^Bearer /, '') ?? '';
        return { entry, departure: askResource(token, body ?? '') };
      }
      const request = new Request(url, { method, headers, ...(body === undefined ? {} : { body }) });
      const response = await handler(request, entry);
      const departure = {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: await response.text(),
      };
      return { entry, departure };
    } finally {
      busy -= 1;
    }
  };
  return { origin, rotation, lifetimes, kv, grants, handle, isBusy: () => busy > 0 };
}
