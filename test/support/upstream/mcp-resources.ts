import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import {
  CompleteRequestSchema,
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { RECENT_PAGES } from './notion-tools.ts';
import type { Workspace } from './workspace.ts';

const MARKDOWN_GUIDE = 'notion://docs/enhanced-markdown-spec';
const PAGE = 'notion://page/';

const RESOURCES = [
  {
    uri: MARKDOWN_GUIDE,
    name: 'enhanced-markdown-spec',
    title: 'Notion-flavoured Markdown',
    mimeType: 'text/markdown',
  },
  { uri: RECENT_PAGES, name: 'recent-pages', title: 'Recent pages', mimeType: 'application/json' },
];

const PROMPT = {
  name: 'summarize-page',
  title: 'Summarize a page',
  description: 'Fetches a page and summarizes it.',
  arguments: [{ name: 'page', description: 'Title of the page', required: true }],
};

/** Resources, one prompt and completions; returns the set of URIs that this session subscribes to. */
export function offerResources(server: Server, workspace: Workspace): Set<string> {
  const subscriptions = new Set<string>();
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: RESOURCES }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: `${PAGE}{page_id}`, name: 'page', title: 'A page', mimeType: 'text/markdown' }],
  }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => ({
    contents: [{ uri, mimeType: 'text/markdown', text: read(uri, workspace) }],
  }));
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    subscriptions.add(params.uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    subscriptions.delete(params.uri);
    return {};
  });
  offerPrompt(server, workspace);
  return subscriptions;
}

function offerPrompt(server: Server, workspace: Workspace): void {
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: [PROMPT] }));
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
    if (params.name !== PROMPT.name) throw new McpError(ErrorCode.InvalidParams, `no prompt ${params.name}`);
    const text = `Fetch the page "${params.arguments?.page ?? ''}" and summarize it in three sentences.`;
    return { description: PROMPT.description, messages: [{ role: 'user', content: { type: 'text', text } }] };
  });
  server.setRequestHandler(CompleteRequestSchema, ({ params }) => {
    const typed = params.argument.value.toLowerCase();
    const titles = workspace.pages.map(({ title }) => title).filter((title) => title.toLowerCase().startsWith(typed));
    return { completion: { values: titles, total: titles.length, hasMore: false } };
  });
}

function read(uri: string, workspace: Workspace): string {
  if (uri === MARKDOWN_GUIDE) return '# Notion-flavoured Markdown\nA page is Markdown plus a few tags.';
  if (uri === RECENT_PAGES) return JSON.stringify(workspace.pages.map(({ id, title }) => ({ id, title })));
  const page = uri.startsWith(PAGE) ? workspace.find(uri) : undefined;
  if (!page) throw new McpError(-32002, 'Resource not found', { uri });
  return page.content;
}
