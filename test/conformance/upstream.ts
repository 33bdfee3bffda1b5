import { randomUUID } from 'node:crypto';
import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  Server,
  type ServerNotifier,
  WebStandardStreamableHTTPServerTransport as Transport,
} from '@modelcontextprotocol/server';
import { createEventStore } from '../support/upstream/event-store.ts';
import { openWebServer, type WebServer } from '../support/web-server.ts';
import { getPrompt, prompts, readResource, resources, resourceTemplates, text } from './upstream-contents.ts';
import { nextQuestions, questions, stateCodec } from './upstream-inputs.ts';
import { nothing, tools } from './upstream-tools.ts';

/** The server behind the bridge in server scenarios, on the official SDK: the suite's own is not published. */
export async function openUpstream(): Promise<WebServer> {
  const sessions = new Map<string, Transport>();
  const modern = createMcpHandler(() => createServer(modern.notify), { legacy: 'reject' });
  return openWebServer(async (request) => {
    if (!(await isLegacyRequest(request.clone()))) return modern.fetch(request);
    const known = sessions.get(request.headers.get('mcp-session-id') ?? '');
    if (known) return known.handleRequest(request);
    const parsedBody: unknown = request.method === 'POST' ? await request.json() : undefined;
    if (!isInitializeRequest(parsedBody)) return new Response(null, { status: 404 });
    const transport = new Transport({
      sessionIdGenerator: randomUUID,
      eventStore: createEventStore(),
      retryInterval: 500,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await createServer(modern.notify).connect(transport);
    return transport.handleRequest(request, { parsedBody });
  });
}

/** Tools that change what others are told of. */
const triggers = {
  test_trigger_tool_change: (notify: ServerNotifier) => notify.toolsChanged(),
  test_trigger_prompt_change: (notify: ServerNotifier) => notify.promptsChanged(),
};

const asked = Object.keys(questions).filter((name) => !name.endsWith('_prompt'));
const toolList = [
  ...Object.entries(tools).map(([name, { description, inputSchema = nothing }]) => ({
    name,
    description,
    inputSchema,
  })),
  ...asked.map((name) => ({ name, description: 'Asks in rounds', inputSchema: nothing })),
  ...Object.keys(triggers).map((name) => ({ name, description: 'Announces a change', inputSchema: nothing })),
];

function createServer(notify: ServerNotifier): Server {
  const capabilities = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    logging: {},
    completions: {},
  };
  const server = new Server(
    { name: 'conformance-upstream', version: '1.0.0' },
    { capabilities, requestState: { verify: stateCodec.verify } },
  );
  server.setRequestHandler('tools/list', () => ({ tools: toolList }));
  server.setRequestHandler('tools/call', async ({ params: { name, arguments: given = {} } }, context) => {
    if (name in triggers) triggers[name as keyof typeof triggers](notify);
    if (name in triggers) return { content: [text('announced')] };
    const questioning = asked.includes(name) ? questions[name] : undefined;
    if (questioning) return (await nextQuestions(questioning, context)) ?? { content: [text('Thank you: state-ok')] };
    const tool = tools[name] ?? unknown(name);
    try {
      return { content: await tool.call(given, context) };
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      return { content: [text(String(error))], isError: true };
    }
  });
  server.setRequestHandler('resources/list', () => ({ resources }));
  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates }));
  server.setRequestHandler('resources/read', ({ params: { uri } }) => readResource(uri) ?? missing(uri));
  server.setRequestHandler('resources/subscribe', () => ({}));
  server.setRequestHandler('resources/unsubscribe', () => ({}));
  server.setRequestHandler('prompts/list', () => ({ prompts }));
  server.setRequestHandler('prompts/get', async ({ params }, context) => {
    const questioning = params.name.endsWith('_result_prompt') ? questions[params.name] : undefined;
    const due = questioning && (await nextQuestions(questioning, context));
    return due ?? getPrompt(params.name, params.arguments) ?? unknown(params.name);
  });
  server.setRequestHandler('logging/setLevel', () => ({}));
  server.setRequestHandler('completion/complete', () => ({
    completion: { values: ['one'], total: 1, hasMore: false },
  }));
  return server;
}

function missing(uri: string): never {
  throw new ResourceNotFoundError(uri);
}

function unknown(what: string): never {
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, `there is no ${what}`);
}
