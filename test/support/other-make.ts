import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider, { type Configuration } from 'oidc-provider';
import { Faults } from './upstream/faults.ts';
import { Front } from './upstream/front.ts';
import { McpSide } from './upstream/mcp-server.ts';
import { type RequestEntry, type RequestFilter, RequestLog, type WaitOptions } from './upstream/request-log.ts';
import type { Workspace } from './upstream/workspace.ts';

/** Seconds. */
const hour = 3_600;

/**
 * An upstream whose authorization server is of another make: oidc-provider, rotation with reuse detection (product.md 13).
 * It stands behind the same front as the other one, so the same faults and the same log are to be had.
 */
export class OtherMake {
  readonly faults = new Faults(() => this.#challenge());
  readonly #log = new RequestLog();
  readonly #front = new Front({
    log: this.#log,
    faults: this.faults,
    handler:
      () =>
      (...args) =>
        this.#handle(...args),
  });
  readonly #mcp = new McpSide({ testTools: false, paginate: 0, toolListVersion: 1, resumable: false });
  readonly #used = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #grants = new Set<string>();
  #origin = '';
  #provider!: Provider;
  #inner!: Server;

  static async open(): Promise<OtherMake> {
    const opened = new OtherMake();
    opened.#origin = `http://127.0.0.1:${await opened.#front.listen(0)}`;
    opened.#provider = createProvider(opened.#origin, opened.url);
    const serve = opened.#provider.callback();
    opened.#inner = createServer((request, response) => {
      void (request.url?.startsWith('/interaction/') ? opened.#interact(request, response) : serve(request, response));
    });
    await new Promise<void>((resolve) => opened.#inner.listen(0, '127.0.0.1', resolve));
    return opened;
  }

  get url(): string {
    return `${this.#origin}/mcp`;
  }

  get workspace(): Workspace {
    return this.#mcp.workspace;
  }

  get requests(): readonly RequestEntry[] {
    return this.#log.entries;
  }

  count(filter: RequestFilter): number {
    return this.#log.matching(filter).length;
  }

  waitFor(filter: RequestFilter, options?: WaitOptions): Promise<RequestEntry> {
    return this.#log.waitFor(filter, options);
  }

  unused(): string[] {
    return [...this.faults.unused(), ...this.#log.unmet()];
  }

  /** Every access token that was used ends, whatever `expires_in` said. */
  async expireAccessTokens(): Promise<number> {
    for (const token of this.#used) this.#ended.add(token);
    return this.#ended.size;
  }

  async revokeGrants(): Promise<number> {
    for (const grant of this.#grants) {
      await this.#provider.AccessToken.revokeByGrantId(grant);
      await this.#provider.RefreshToken.revokeByGrantId(grant);
    }
    return this.#grants.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.faults.releaseAll();
    await this.#front.close();
    this.#inner.close();
    this.#inner.closeAllConnections();
    this.#log.abandonWaits();
  }

  #challenge(): string {
    return `Bearer error="invalid_token", resource_metadata="${this.#origin}/.well-known/oauth-protected-resource/mcp"`;
  }

  async #handle(request: Request, { path }: RequestEntry): Promise<Response> {
    if (path === '/mcp') return this.#serveMcp(request);
    if (path === '/.well-known/oauth-protected-resource/mcp') {
      return Response.json({ resource: this.url, authorization_servers: [this.#origin], scopes_supported: ['mcp'] });
    }
    return this.#pass(request);
  }

  /** To the provider, which knows only Node's own requests. */
  async #pass(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const { port } = this.#inner.address() as AddressInfo;
    const headers = new Headers(request.headers);
    headers.set('x-forwarded-host', new URL(this.#origin).host);
    for (const name of ['host', 'connection', 'content-length', 'transfer-encoding']) headers.delete(name);
    const body = request.method === 'POST' ? await request.arrayBuffer() : null;
    const init: RequestInit = { method: request.method, headers, body, redirect: 'manual' };
    const answer = await fetch(`http://127.0.0.1:${port}${pathname}${search}`, init);
    const answered = new Headers(answer.headers);
    for (const name of ['connection', 'keep-alive', 'transfer-encoding']) answered.delete(name);
    return new Response(await answer.arrayBuffer(), { status: answer.status, headers: answered });
  }

  async #serveMcp(request: Request): Promise<Response> {
    const value = request.headers.get('authorization')?.replace(/^Bearer /, '') ?? '';
    this.#used.add(value);
    if (this.#ended.has(value) || !(await this.#provider.AccessToken.find(value))) {
      return new Response(null, { status: 401, headers: { 'www-authenticate': this.#challenge() } });
    }
    return this.#mcp.handle(request);
  }

  /** The person behind the browser says yes to everything. */
  async #interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const provider = this.#provider;
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === 'login') {
      return provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
    }
    const grant = new provider.Grant({ accountId: session?.accountId as string, clientId: params.client_id as string });
    grant.addResourceScope(this.url, 'mcp');
    grant.addOIDCScope('mcp');
    const grantId = await grant.save();
    this.#grants.add(grantId);
    await provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
  }
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
    routes: { registration: '/register', authorization: '/authorize' },
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  };
  const provider = new Provider(issuer, configuration);
  // It stands behind the front, and is to speak of the front's host.
  provider.proxy = true;
  return provider;
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
