import * as oauth from 'oauth4webapi';
import { covers } from '../credentials/record.ts';
import { BridgeError, describe } from '../errors.ts';
import { ConnectionError, isTrustworthy } from '../http.ts';
import type { OAuthContext } from './client.ts';

/** The Bearer challenge of a 401 or 403 (RFC 6750 section 3, RFC 9728 section 5.1). */
export interface Challenge {
  error?: string | undefined;
  scope?: string | undefined;
  resourceMetadataUrl?: string | undefined;
}

export interface Discovery {
  resource: string;
  resourceMetadataUrl?: string;
  authorizationServer: oauth.AuthorizationServer;
  scopesSupported?: string[];
}

export function parseChallenge(header = ''): Challenge {
  // Parameter by parameter, so that nothing inside of a quoted text is taken for one (RFC 9110 section 11.2).
  const found = header.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g);
  const parameters = [...found].map(([, name = '', quoted, bare]) => ({
    name: name.toLowerCase(),
    value: quoted?.replace(/\\(.)/g, '$1') ?? bare,
  }));
  const parameter = (wanted: string) => parameters.find(({ name, value }) => name === wanted && value)?.value;
  return { error: parameter('error'), scope: parameter('scope'), resourceMetadataUrl: parameter('resource_metadata') };
}

/**
 * Finds the authorization server of `upstreamUrl`: RFC 9728 from the challenge or the two well-known places, then
 * RFC 8414 or OpenID Connect in the order of the MCP specification.
 * @throws BridgeError AUTHORIZATION_SERVER_UNREACHABLE, AUTHORIZATION_SERVER_MISBEHAVED
 */
export async function discover(upstreamUrl: URL, challenge: Challenge, context: OAuthContext): Promise<Discovery> {
  const found = await findResourceMetadata(upstreamUrl, challenge, context);
  // A server of the 2025-03-26 revision has no resource metadata: its origin is its authorization server.
  const issuer = found?.metadata.authorization_servers?.[0] ?? upstreamUrl.origin;
  const described = await findAuthorizationServer(issuer, context);
  if (!found) return { resource: upstreamUrl.href, authorizationServer: described ?? undescribedServer(upstreamUrl) };
  if (!described) throw misbehaved(`no authorization server metadata was found for ${issuer}`);
  const authorizationServer = described;
  const { resource, scopes_supported: scopesSupported } = found.metadata;
  if (!covers(resource, upstreamUrl.href)) {
    throw misbehaved(`the protected resource metadata is about ${resource}, not about ${upstreamUrl.href}`);
  }
  return {
    resource,
    resourceMetadataUrl: found.url,
    authorizationServer,
    ...(Array.isArray(scopesSupported) ? { scopesSupported } : {}),
  };
}

/** The issuer that the resource names now, or undefined when it cannot be learnt. */
export async function currentIssuer(resourceMetadataUrl: string, context: OAuthContext): Promise<string | undefined> {
  const metadata = await getJson(new URL(resourceMetadataUrl), context).catch(() => undefined);
  return (metadata as oauth.ResourceServer | undefined)?.authorization_servers?.[0];
}

async function findResourceMetadata(upstreamUrl: URL, challenge: Challenge, context: OAuthContext) {
  for (const url of resourceMetadataPlaces(upstreamUrl, challenge)) {
    const json = await getJson(url, context);
    if (json === undefined) continue;
    const metadata = json as unknown as oauth.ResourceServer;
    if (typeof metadata.resource !== 'string' || !URL.canParse(metadata.resource)) {
      throw misbehaved(`the protected resource metadata at ${url.href} names no resource`);
    }
    return { url: url.href, metadata };
  }
  return undefined;
}

function resourceMetadataPlaces(upstreamUrl: URL, challenge: Challenge): URL[] {
  if (challenge.resourceMetadataUrl !== undefined) {
    if (!URL.canParse(challenge.resourceMetadataUrl))
      throw misbehaved('the challenge names no usable resource metadata');
    return [new URL(challenge.resourceMetadataUrl)];
  }
  const wellKnown = '/.well-known/oauth-protected-resource';
  const path = upstreamUrl.pathname.replace(/\/$/, '');
  return [...new Set([`${wellKnown}${path}`, wellKnown])].map((place) => new URL(place, upstreamUrl.origin));
}

async function findAuthorizationServer(
  issuer: string,
  context: OAuthContext,
): Promise<oauth.AuthorizationServer | undefined> {
  if (!URL.canParse(issuer)) throw misbehaved(`the issuer ${issuer} is not a URL`);
  for (const url of metadataPlaces(new URL(issuer))) {
    const json = await getJson(url, context);
    if (json === undefined) continue;
    try {
      const server = await oauth.processDiscoveryResponse(new URL(String(json.issuer)), Response.json(json));
      if (!isSameIssuer(server.issuer, issuer)) throw new Error(`it names the issuer ${server.issuer}`);
      requireEndpoints(server);
      return server;
    } catch (error) {
      throw misbehaved(`the authorization server metadata at ${url.href} is not usable (${describe(error)})`, error);
    }
  }
  return undefined;
}

/** Without any metadata the 2025-03-26 revision has its endpoints in these places ("Fallbacks for Servers without Metadata Discovery"). */
function undescribedServer({ origin }: URL): oauth.AuthorizationServer {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
  };
}

function metadataPlaces(issuer: URL): URL[] {
  const path = issuer.pathname.replace(/\/$/, '');
  const [oauthPlace, openidPlace] = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];
  const places = path === '' ? [oauthPlace, openidPlace] : [oauthPlace + path, openidPlace + path, path + openidPlace];
  return places.map((place) => new URL(place, issuer.origin));
}

function requireEndpoints(server: oauth.AuthorizationServer): void {
  for (const name of ['authorization_endpoint', 'token_endpoint'] as const) {
    const endpoint = server[name];
    if (endpoint === undefined || !URL.canParse(endpoint)) throw new Error(`it has no ${name}`);
  }
  for (const name of [
    'authorization_endpoint',
    'token_endpoint',
    'registration_endpoint',
    'revocation_endpoint',
  ] as const) {
    const endpoint = server[name];
    if (endpoint !== undefined && !(URL.canParse(endpoint) && isTrustworthy(new URL(endpoint)))) {
      throw new Error(`its ${name} is neither https nor on this machine`);
    }
  }
  const methods = server.code_challenge_methods_supported;
  if (methods !== undefined && !methods.includes('S256')) throw new Error('it does not support PKCE with S256');
}

/** The JSON object at `url`, or undefined when there is none (4xx). */
async function getJson(url: URL, { http, signal }: OAuthContext): Promise<Record<string, unknown> | undefined> {
  if (!isTrustworthy(url)) throw misbehaved(`${url.protocol}//${url.host} is neither https nor on this machine`);
  let response: Response;
  try {
    response = await http.fetch(url.href, { headers: { accept: 'application/json' }, signal });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    throw new BridgeError('AUTHORIZATION_SERVER_UNREACHABLE', `could not reach ${url.origin} (${describe(error)})`, {
      cause: error,
    });
  }
  if (response.status >= 500) throw misbehaved(`${url.href} answered with status ${response.status}`);
  if (response.status !== 200) return undefined;
  const json: unknown = await response.json().catch(() => undefined);
  // A server that answers every path with its front page has no metadata here.
  return typeof json === 'object' && json !== null && !Array.isArray(json)
    ? (json as Record<string, unknown>)
    : undefined;
}

/** RFC 8414 section 3.3 compares strings; only a slash after a bare origin is forgiven. */
export function isSameIssuer(one: string, other: string): boolean {
  return stripSlash(one) === stripSlash(other);
}

function stripSlash(issuer: string): string {
  return issuer.replace(/\/$/, '');
}

function misbehaved(message: string, cause?: unknown): BridgeError {
  return new BridgeError('AUTHORIZATION_SERVER_MISBEHAVED', message, { cause });
}
