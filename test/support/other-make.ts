import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import Provider, { type Configuration } from 'oidc-provider';
import { onTestFinished } from 'vitest';
import { McpSide } from './upstream/mcp-server.ts';

/** An upstream whose authorization server is of another make: oidc-provider, rotation with reuse detection (product.md 13). */
export interface OtherMake {
  url: string;
  /** Token requests by grant type, as they came. */
  tokenRequests: string[];
  registrations: number;
  /** Every access token that was used ends, whatever `expires_in` said. */
  endAccessTokens(): void;
}

/** Seconds. */
const hour = 3_600;

export async function otherMakeInTest(): Promise<OtherMake> {
  const seen: OtherMake = { url: '', tokenRequests: [], registrations: 0, endAccessTokens: () => undefined };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  seen.url = `${origin}/mcp`;
  const provider = createProvider(origin, seen.url);
  const serveOAuth = provider.callback();
  const mcp = new McpSide({ testTools: false, paginate: 0, toolListVersion: 1, resumable: false });
  const used = new Set<string>();
  const ended = new Set<string>();
  seen.endAccessTokens = () => {
    for (const token of used) ended.add(token);
  };
  provider.on('grant.success', ({ oidc }) => seen.tokenRequests.push(String(oidc.params?.grant_type)));
  provider.on('grant.error', ({ oidc }) => seen.tokenRequests.push(`${oidc.params?.grant_type} refused`));
  provider.on('registration_create.success', () => {
    seen.registrations += 1;
  });

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? '/', origin);
    if (pathname === '/.well-known/oauth-protected-resource/mcp') {
      const metadata = { resource: seen.url, authorization_servers: [origin], scopes_supported: ['mcp'] };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata));
    } else if (pathname.startsWith('/interaction/')) {
      await approve(provider, seen.url, request, response);
    } else if (pathname === '/mcp') {
      await serveMcp(request, response);
    } else {
      await serveOAuth(request, response);
    }
  };

  const serveMcp = async (request: IncomingMessage, response: ServerResponse) => {
    const value = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    used.add(value);
    if (ended.has(value) || !(await provider.AccessToken.find(value))) {
      const challenge = `Bearer error="invalid_token", resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    const body = request.method === 'POST' ? await buffer(request) : undefined;
    const headers = request.headers as Record<string, string>;
    const answer = await mcp.handle(
      new Request(seen.url, { method: request.method ?? 'GET', headers, ...(body ? { body } : {}) }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) for await (const chunk of answer.body) response.write(chunk);
    response.end();
  };

  return seen;
}

function createProvider(issuer: string, resource: string): Provider {
  const configuration: Configuration = {
    scopes: ['mcp'],
    rotateRefreshToken: true,
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
    clientDefaults: { token_endpoint_auth_method: 'none' },
    clientAuthMethods: ['none', 'client_secret_basic'],
    pkce: { required: () => true, methods: ['S256'] },
    ttl: { AccessToken: hour, RefreshToken: 24 * hour, Grant: 24 * hour, Interaction: hour, Session: hour },
    cookies: { keys: ['only for this test'] },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'mcp', audience: resource, accessTokenFormat: 'opaque' }),
      },
    },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  };
  return new Provider(issuer, configuration);
}

/** The person behind the browser says yes to everything. */
async function approve(
  provider: Provider,
  resource: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
  }
  const grant = new provider.Grant({ accountId: session?.accountId as string, clientId: params.client_id as string });
  grant.addResourceScope(resource, 'mcp');
  grant.addOIDCScope('mcp');
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

/** Opens a URL as a browser does: redirects and cookies. Gives the text of the last page. */
export async function visit(url: string): Promise<string> {
  const cookies = new Map<string, string>();
  for (let next = url; ; ) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(next, { redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null) return response.text();
    next = new URL(location, next).href;
  }
}
