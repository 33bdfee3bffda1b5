import { type AuthorizationOptions, createAuthorization, type Handler } from './authorization.ts';
import { type Clock, createClock } from './clock.ts';
import type { Connections } from './connections.ts';
import { Faults } from './faults.ts';
import { Front } from './front.ts';
import { Grants, type LiveGrant } from './grants.ts';
import { MemoryKv } from './kv.ts';
import { type McpOptions, McpSide } from './mcp-server.ts';
import { type RequestEntry, type RequestFilter, RequestLog, type WaitOptions } from './request-log.ts';
import { createStrictGuard, lenient } from './strict.ts';
import { loadProviderLibrary, type World } from './worker.ts';
import type { Workspace } from './workspace.ts';

export interface UpstreamOptions extends Partial<Omit<AuthorizationOptions, 'origin'>>, Partial<McpOptions> {
  /** 'lenient' (default) is the library as it is; 'strict' is what live Notion is reported to do (notion-wire.md). */
  mode?: 'lenient' | 'strict';
  /** `false`: no authorization at all. */
  auth?: boolean;
  /** Another MCP server, in the place of the embedded one. */
  mcp?: ((request: Request) => Promise<Response>) | undefined;
  /** One of its own by default. */
  port?: number;
}

const DAY = 24 * 60 * 60;

const DEFAULTS = {
  mode: 'lenient',
  auth: true,
  port: 0,
  user: 'ada',
  accessTokenTtl: 3600,
  refreshTokenTtl: 30 * DAY,
  refreshTokenIdleTtl: undefined,
  registrationTtl: 90 * DAY,
  issParameter: false,
  expiresIn: undefined,
  testTools: false,
  paginate: 0,
  toolListVersion: 1,
  resumable: false,
  mcp: undefined,
} as const;

type Settled = Required<Omit<UpstreamOptions, 'expiresIn' | 'refreshTokenIdleTtl' | 'mcp'>> &
  AuthorizationOptions &
  Pick<UpstreamOptions, 'mcp'>;

export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const upstream = new Upstream({ ...DEFAULTS, origin: '', ...options });
  await upstream.start();
  return upstream;
}

/** An authorization server and an MCP server that stand in for Notion's, on loopback, under the test's control. */
export class Upstream {
  readonly clock: Clock = createClock();
  readonly faults = new Faults(() => `Bearer realm="OAuth", resource_metadata="${this.resourceMetadataUrl}"`);
  /** Client ID Metadata Documents that the server can fetch, by their https URL. */
  readonly clientDocuments = new Map<string, unknown>();
  readonly #options: Settled;
  readonly #kv = new MemoryKv(this.clock);
  readonly #grants = new Grants(this.#kv);
  readonly #log = new RequestLog();
  readonly #mcp: McpSide;
  readonly #front = new Front({
    log: this.#log,
    faults: this.faults,
    handler: () => this.#handler,
    now: this.clock.now,
  });
  #handler: Handler = async () => new Response(null, { status: 503 });

  constructor(options: Settled) {
    this.#options = options;
    this.#mcp = new McpSide(options);
  }

  get origin(): string {
    return this.#options.origin;
  }

  get url(): string {
    return `${this.origin}/mcp`;
  }

  get resourceMetadataUrl(): string {
    return `${this.origin}/.well-known/oauth-protected-resource/mcp`;
  }

  /** What befalls them below HTTP. */
  get connections(): Connections {
    return this.#front.connections;
  }

  /** Listens again after `stop()`, on the same port: grants, clients and pages are kept, MCP sessions are not. */
  async start(): Promise<void> {
    this.#options.port = await this.#front.listen(this.#options.port);
    if (this.origin === '') await this.#assemble(`http://127.0.0.1:${this.#options.port}`);
  }

  async stop(): Promise<void> {
    this.faults.releaseAll();
    await this.#front.close();
    await this.#mcp.dropSessions();
    this.#log.abandonWaits();
  }

  /** Down and up again at once; sessions are lost, waits go on. */
  async restart(): Promise<void> {
    await this.#front.close();
    await this.#mcp.dropSessions();
    await this.start();
  }

  get requests(): readonly RequestEntry[] {
    return this.#log.entries;
  }

  count(filter: RequestFilter): number {
    return this.#log.matching(filter).length;
  }

  /** Resolves with the n-th match, at once if it has happened; rejects when the upstream stops first. */
  waitFor(filter: RequestFilter, options?: WaitOptions): Promise<RequestEntry> {
    return this.#log.waitFor(filter, options);
  }

  /** Faults that no request met and waits that nothing satisfied: should be empty at the end of a test. */
  unused(): string[] {
    return [...this.faults.unused(), ...this.#log.unmet()];
  }

  /** Live grants, approved ones whose code was not redeemed yet included. */
  grants(): Promise<LiveGrant[]> {
    return this.#grants.list();
  }

  /** As when the workspace's owner disconnects it. Returns how many grants ended. */
  async revokeGrants(which: (grant: LiveGrant) => boolean = () => true): Promise<number> {
    const revoked = (await this.#grants.list()).filter(which);
    await Promise.all(revoked.map((grant) => this.#grants.revoke(grant)));
    return revoked.length;
  }

  /** All current access tokens are refused, although `expires_in` said otherwise; refresh tokens still work. */
  expireAccessTokens(): Promise<number> {
    return this.#grants.endAccessTokens(this.#grants.accessTokens());
  }

  /** Registrations are gone; grants and access tokens stay, as notion-wire.md reports of Notion. */
  deleteClients(): Promise<number> {
    return this.#grants.deleteClients();
  }

  get workspace(): Workspace {
    return this.#mcp.workspace;
  }

  /** How often a tool was executed. */
  executions(tool: string): number {
    return this.#mcp.counters.executions(tool);
  }

  /** How many calls were cancelled while they took their time. */
  get cancellations(): number {
    return this.#mcp.counters.cancellations;
  }

  /** Ids of the live MCP sessions. */
  get sessions(): string[] {
    return this.#mcp.sessions;
  }

  dropSessions(): Promise<number> {
    return this.#mcp.dropSessions();
  }

  cutStreams(): number {
    return this.#front.cutStreams();
  }

  /** Another `toolListVersion`, and tools/list_changed to every session. */
  releaseToolList(version: number): Promise<void> {
    return this.#mcp.releaseToolList(version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#front.listening) await this.stop();
  }

  async #assemble(origin: string): Promise<void> {
    this.#options.origin = origin;
    const mcp = this.#options.mcp ?? ((request: Request): Promise<Response> => this.#mcp.handle(request));
    if (!this.#options.auth) {
      this.#handler = async (request, { endpoint }) =>
        endpoint === 'mcp' ? mcp(request) : new Response('Not found\n', { status: 404 });
      return;
    }
    const library = await loadProviderLibrary();
    const world: World = { clock: this.clock, documents: this.clientDocuments };
    const guard = this.#options.mode === 'strict' ? createStrictGuard(this.#grants) : lenient;
    const parts = { library, world, kv: this.#kv, grants: this.#grants, guard, mcp };
    this.#handler = createAuthorization(parts, this.#options);
  }
}
