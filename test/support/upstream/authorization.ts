import { challenge, RESOURCE_NAME, rootResourceMetadata, serverMetadata, tokenResponse } from './as-notion.ts';
import { type ConsentOptions, handleAuthorize } from './consent.ts';
import type { Grants } from './grants.ts';
import type { MemoryKv } from './kv.ts';
import type { RequestEntry } from './request-log.ts';
import type { TokenGuard } from './strict.ts';
import { inWorld, type World } from './worker.ts';

export interface AuthorizationOptions extends Omit<ConsentOptions, 'library'> {
  origin: string;
  /** Seconds. */
  accessTokenTtl: number;
  /** Seconds from the code exchange, however often refreshed. */
  refreshTokenTtl: number;
  /** Seconds from each refresh, which then move the grant's end. */
  refreshTokenIdleTtl: number | undefined;
  /** Seconds. */
  registrationTtl: number;
}

export interface AuthorizationParts {
  library: ConsentOptions['library'];
  world: World;
  kv: MemoryKv;
  grants: Grants;
  guard: TokenGuard;
  /** The MCP server, reached only with a valid access token. */
  mcp: (request: Request) => Promise<Response>;
}

export type Handler = (request: Request, entry: RequestEntry) => Promise<Response>;

/** The library as Notion uses it, answers shaped like Notion's. */
export function createAuthorization(parts: AuthorizationParts, options: AuthorizationOptions): Handler {
  const { library, world, kv, grants, guard, mcp } = parts;
  const provider = new library.OAuthProvider({
    ...providerOptions(options),
    apiHandler: { fetch: mcp },
    defaultHandler: { fetch: (request: Request, env: Env) => application(request, env, { ...options, library }) },
  });
  const env: Env = { OAUTH_KV: kv };
  const fetch = (request: Request): Promise<Response> =>
    inWorld(world, () => provider.fetch(request, env, executionContext()));
  return async (request, entry) => {
    if (entry.path === '/.well-known/oauth-protected-resource') return rootResourceMetadata(options.origin);
    if (entry.path === '/.well-known/oauth-authorization-server') return serverMetadata(await fetch(request), options);
    if (entry.endpoint === 'token') {
      return tokenResponse(await guard(entry, () => fetch(request)), grants, options);
    }
    const response = await fetch(request);
    return entry.endpoint === 'mcp' ? challenge(response) : response;
  };
}

interface Env {
  OAUTH_KV: MemoryKv;
  OAUTH_PROVIDER?: Parameters<typeof handleAuthorize>[1];
}

// The provider uses nothing of a Workers ExecutionContext, but sets members on it for each request.
function executionContext() {
  return { waitUntil() {}, passThroughOnException() {}, props: {} };
}

function providerOptions(options: AuthorizationOptions) {
  return {
    apiRoute: '/mcp',
    authorizeEndpoint: '/authorize',
    tokenEndpoint: '/token',
    clientRegistrationEndpoint: '/register',
    scopesSupported: ['default'],
    requiredScopes: ['default'],
    resourceMetadata: { resource: `${options.origin}/mcp`, resource_name: RESOURCE_NAME },
    clientIdMetadataDocumentEnabled: true,
    accessTokenTTL: options.accessTokenTtl,
    refreshTokenTTL: options.refreshTokenTtl,
    clientRegistrationTTL: options.registrationTtl,
    ...(options.refreshTokenIdleTtl === undefined ? {} : { refreshTokenIdleTTL: options.refreshTokenIdleTtl }),
    onError() {},
  };
}

async function application(request: Request, env: Env, options: ConsentOptions): Promise<Response> {
  const isAuthorize = new URL(request.url).pathname === '/authorize';
  if (!isAuthorize || !env.OAUTH_PROVIDER) return new Response('Not found\n', { status: 404 });
  return handleAuthorize(request, env.OAUTH_PROVIDER, options);
}
