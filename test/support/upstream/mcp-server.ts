import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { WebStandardStreamableHTTPServerTransport as Transport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  type ListToolsResult,
  McpError,
} from '@modelcontextprotocol/sdk/types.js';
import { createEventStore } from './event-store.ts';
import { offerResources } from './mcp-resources.ts';
import { announced, notionTools } from './notion-tools.ts';
import { testTools } from './test-tools.ts';
import { Counters, type EmbeddedTool } from './tool.ts';
import { Workspace } from './workspace.ts';

export interface McpOptions {
  testTools: boolean;
  /** Tools per page of tools/list; 0 lists all at once. */
  paginate: number;
  toolListVersion: number;
  /** Keep events, so that a stream can be resumed with Last-Event-ID. */
  resumable: boolean;
}

interface Session {
  server: Server;
  transport: Transport;
  subscriptions: Set<string>;
}

const INSTRUCTIONS =
  'Search before you fetch, fetch before you write. Everything here lives in memory on this machine and is gone when it stops.';

/** The MCP side: one real SDK server per session, all over one workspace. */
export class McpSide {
  readonly workspace = new Workspace();
  readonly counters = new Counters();
  readonly #options: McpOptions;
  readonly #sessions = new Map<string, Session>();
  #announced = false;

  constructor(options: McpOptions) {
    this.#options = { ...options };
  }

  get sessions(): string[] {
    return [...this.#sessions.keys()];
  }

  async handle(request: Request): Promise<Response> {
    const id = request.headers.get('mcp-session-id');
    const session = id === null ? await this.#open() : this.#sessions.get(id);
    if (!session) return sessionNotFound();
    const response = await session.transport.handleRequest(request);
    if (session.transport.sessionId === undefined) await session.server.close();
    return response;
  }

  /** Every session becomes unknown (404), and its streams end. */
  async dropSessions(): Promise<number> {
    const dropped = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(dropped.map(({ server }) => server.close()));
    return dropped.length;
  }

  async releaseToolList(version: number): Promise<void> {
    this.#options.toolListVersion = version;
    await this.#toolListChanged();
  }

  async #open(): Promise<Session> {
    const transport = new Transport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void this.#sessions.set(id, session),
      onsessionclosed: (id) => void this.#sessions.delete(id),
      ...(this.#options.resumable ? { eventStore: createEventStore() } : {}),
    });
    const server = createServer();
    const session: Session = { server, transport, subscriptions: offerResources(server, this.workspace) };
    this.#offerTools(server);
    await server.connect(transport);
    return session;
  }

  #offerTools(server: Server): void {
    server.setRequestHandler(ListToolsRequestSchema, ({ params }) => this.#page(params?.cursor));
    server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
      const tool = this.#tools().find(({ definition }) => definition.name === params.name);
      if (!tool) throw new McpError(ErrorCode.InvalidParams, `Unknown tool: ${params.name}`);
      this.counters.executed(params.name);
      return tool.call(params.arguments ?? {}, {
        server,
        extra,
        workspace: this.workspace,
        counters: this.counters,
        resourceUpdated: (uri) => this.#resourceUpdated(uri),
        toggleAnnouncedTool: () => this.#toggleAnnouncedTool(),
      });
    });
  }

  #tools(): EmbeddedTool[] {
    const notion = notionTools(this.#options.toolListVersion);
    return [...notion, ...(this.#announced ? [announced] : []), ...(this.#options.testTools ? testTools : [])];
  }

  #page(cursor: string | undefined): ListToolsResult {
    const tools = this.#tools().map(({ definition }) => definition);
    const size = this.#options.paginate || tools.length;
    const start = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64url').toString());
    if (!Number.isInteger(start)) throw new McpError(ErrorCode.InvalidParams, 'Invalid cursor');
    const end = start + size;
    const next = end < tools.length ? { nextCursor: Buffer.from(String(end)).toString('base64url') } : {};
    return { tools: tools.slice(start, end), ...next };
  }

  #toggleAnnouncedTool(): boolean {
    this.#announced = !this.#announced;
    void this.#toolListChanged();
    return this.#announced;
  }

  async #toolListChanged(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ server }) => server.sendToolListChanged()));
  }

  #resourceUpdated(uri: string): void {
    const subscribed = [...this.#sessions.values()].filter(({ subscriptions }) => subscriptions.has(uri));
    for (const { server } of subscribed) void server.sendResourceUpdated({ uri });
  }
}

function createServer(): Server {
  const info = { name: 'Notion MCP (embedded)', title: 'Notion (embedded)', version: '1.0.1' };
  const capabilities = {
    tools: { listChanged: true },
    resources: { listChanged: true, subscribe: true },
    prompts: { listChanged: true },
    completions: {},
    logging: {},
  };
  return new Server(info, { capabilities, instructions: INSTRUCTIONS });
}

// MCP 2025-11-25, Streamable HTTP: a session that the server ended or never had is 404.
function sessionNotFound(): Response {
  return Response.json(
    { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null },
    { status: 404 },
  );
}
