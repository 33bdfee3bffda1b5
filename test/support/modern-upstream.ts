import {
  createMcpHandler,
  inputRequired,
  inputResponse,
  McpServer,
  type ServerNotifier,
} from '@modelcontextprotocol/server';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { upstreamInTest } from './upstream/in-test.ts';
import type { Upstream, UpstreamOptions } from './upstream/upstream.ts';

export interface ModernUpstream {
  upstream: Upstream;
  notify: ServerNotifier;
  /** How often `count` was called. */
  counted(): number;
  /** From now on the server has one more tool; nobody is told. */
  reveal(): void;
  /** From now on it is another server. */
  become(handle: (request: Request) => Promise<Response>): void;
}

interface ModernOptions extends Pick<UpstreamOptions, 'auth'> {
  /** Serves clients that begin with `initialize`, too; it does by default. */
  legacy?: 'stateless' | 'reject';
}

/** A server of the current SDK (2.x), which speaks revision 2026-07-28, behind the embedded authorization or without. */
export async function modernUpstream({
  auth = false,
  legacy = 'stateless',
}: ModernOptions = {}): Promise<ModernUpstream> {
  const state = { counted: 0, revealed: false };
  const handler = createMcpHandler(() => createServer(state), { legacy, keepAliveMs: 0 });
  let handle = (request: Request) => handler.fetch(request);
  const upstream = await upstreamInTest({ auth, mcp: (request) => handle(request) });
  onTestFinished(() => handler.close());
  return {
    upstream,
    notify: handler.notify,
    counted: () => state.counted,
    reveal: () => {
      state.revealed = true;
    },
    become: (other) => {
      handle = other;
    },
  };
}

const text = (said: string) => ({ content: [{ type: 'text' as const, text: said }] });

function createServer(state: { counted: number; revealed: boolean }): McpServer {
  const capabilities = { tools: { listChanged: true }, resources: { subscribe: true, listChanged: true } };
  const server = new McpServer({ name: 'modern', version: '3.0.0' }, { instructions: 'Ask away.', capabilities });
  const readOnly = { readOnlyHint: true };
  const pair = z.object({ a: z.number(), b: z.number() });
  server.registerTool('add', { inputSchema: pair, annotations: readOnly }, async ({ a, b }) => text(String(a + b)));
  server.registerTool('count', {}, async () => {
    state.counted += 1;
    return text(String(state.counted));
  });
  const region = z.string().meta({ 'x-mcp-header': 'Region' });
  const place = z.object({ floor: z.int().meta({ 'x-mcp-header': 'Floor' }).optional() });
  server.registerTool('route', { inputSchema: z.object({ region, place }) }, async (args) => text(args.region));
  server.registerTool('ask', {}, async ({ mcpReq }) => {
    const said = inputResponse(mcpReq.inputResponses, 'name');
    if (said.kind === 'elicit' && said.action === 'accept') return text(JSON.stringify(said.content));
    const requestedSchema = { type: 'object' as const, properties: { name: { type: 'string' as const } } };
    return inputRequired({
      inputRequests: { name: inputRequired.elicit({ message: 'Who are you?', requestedSchema }) },
      requestState: 'as it was',
    });
  });
  server.registerResource('page', 'notion://page', {}, async () => ({
    contents: [{ uri: 'notion://page', text: 'A page' }],
  }));
  if (state.revealed) server.registerTool('revealed', {}, async () => text('revealed'));
  return server;
}
