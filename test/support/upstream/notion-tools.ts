import { type EmbeddedTool, failure, json, schema, text } from './tool.ts';
import { type Page, pageUrl } from './workspace.ts';

export const RECENT_PAGES = 'notion://workspace/recent-pages';

const READS = { readOnlyHint: true, destructiveHint: false, openWorldHint: false };
const ADDS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false };
const OVERWRITES = { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false };

// Notion's own list is some 50 KB (notion-wire.md); this paragraph gives each description a comparable weight.
const GUIDE = `
Content is exchanged as Notion-flavoured Markdown: headings, lists, to-dos, tables, callouts and code blocks each have a textual form, \
which the resource notion://docs/enhanced-markdown-spec explains. Read that resource before you write content for the first time.
Pages, databases and data sources are addressed by URL or by UUID, with or without dashes. An address from another workspace is not found, \
also when you may open it in a browser: the connection sees one workspace, and in it what the signed-in person may see.
A permission problem is reported in the result with the code restricted_resource; asking again does not help, the owner of the page can.
Too many calls in a short time are answered with the code rate_limited and the number of seconds to wait.`;

const search: EmbeddedTool = {
  definition: {
    name: 'notion-search',
    title: 'Search Notion',
    description: `Searches the titles and the text of the workspace and lists the best matches with their URLs.${GUIDE}`,
    inputSchema: schema({ query: { type: 'string', minLength: 1 }, 'page_size?': { type: 'integer', maximum: 25 } }),
    annotations: { title: 'Search Notion', ...READS },
  },
  call({ query, page_size }, { workspace }) {
    const found = workspace.search(String(query ?? '')).slice(0, Number(page_size ?? 10));
    const results = found.map((page) => ({ id: page.id, title: page.title, url: pageUrl(page), type: 'page' }));
    return json({ results, type: 'workspace_search' });
  },
};

const fetchPage: EmbeddedTool = {
  definition: {
    name: 'notion-fetch',
    title: 'Fetch Notion page',
    description: `Fetches one page with its properties and its content.${GUIDE}`,
    inputSchema: schema({ id: { type: 'string', description: 'URL or id' } }),
    annotations: { title: 'Fetch Notion page', ...READS },
  },
  call({ id }, { workspace }) {
    const page = workspace.find(String(id));
    return page ? json(described(page)) : notFound(id);
  },
};

const createPages: EmbeddedTool = {
  definition: {
    name: 'notion-create-pages',
    title: 'Create Notion pages',
    description: `Creates pages, below a parent or on their own. Calling it twice creates them twice.${GUIDE}`,
    inputSchema: schema({
      pages: {
        type: 'array',
        items: schema({ properties: { type: 'object' }, 'content?': { type: 'string' } }),
        maxItems: 100,
      },
      'parent?': { type: 'object', properties: { page_id: { type: 'string' } } },
    }),
    annotations: { title: 'Create Notion pages', ...ADDS },
  },
  call({ pages, parent }, { workspace, resourceUpdated, server, extra }) {
    if (!Array.isArray(pages)) return failure('validation_error', 'pages must be a list');
    const parentId = (parent as { page_id?: string } | undefined)?.page_id ?? null;
    const wanted = pages as { properties?: { title?: string }; content?: string }[];
    const created = wanted.map(({ properties, content = '' }) =>
      workspace.create({ title: properties?.title ?? 'Untitled', content, parentId }),
    );
    resourceUpdated(RECENT_PAGES);
    const message = { level: 'info', logger: 'workspace', data: { created: created.length } } as const;
    void server.sendLoggingMessage(message, extra.sessionId);
    return json({ pages: created.map(described) });
  },
};

const updatePage: EmbeddedTool = {
  definition: {
    name: 'notion-update-page',
    title: 'Update Notion page',
    description: `Replaces the title or the content of a page.${GUIDE}`,
    inputSchema: schema({ page_id: { type: 'string' }, 'title?': { type: 'string' }, 'content?': { type: 'string' } }),
    annotations: { title: 'Update Notion page', ...OVERWRITES },
  },
  call({ page_id, title, content }, { workspace, resourceUpdated }) {
    const page = workspace.find(String(page_id));
    if (!page) return notFound(page_id);
    page.title = String(title ?? page.title);
    page.content = String(content ?? page.content);
    resourceUpdated(RECENT_PAGES);
    return json({ page_id: page.id });
  },
};

const createComment: EmbeddedTool = {
  definition: {
    name: 'notion-create-comment',
    title: 'Create Notion comment',
    description: `Adds a comment to a page.${GUIDE}`,
    inputSchema: schema({ page_id: { type: 'string' }, text: { type: 'string' } }),
    annotations: { title: 'Create Notion comment', ...ADDS },
  },
  call(args, { workspace }) {
    const page = workspace.find(String(args.page_id));
    return page ? json(workspace.comment(page, String(args.text))) : notFound(args.page_id);
  },
};

const getComments: EmbeddedTool = {
  definition: {
    name: 'notion-get-comments',
    title: 'List Notion comments',
    description: `Lists the comments of a page.${GUIDE}`,
    inputSchema: schema({ page_id: { type: 'string' } }),
    annotations: { title: 'List Notion comments', ...READS },
  },
  call({ page_id }, { workspace }) {
    const page = workspace.find(String(page_id));
    return page ? json({ results: page.comments }) : notFound(page_id);
  },
};

const getUsers: EmbeddedTool = {
  definition: {
    name: 'notion-get-users',
    title: 'List Notion users',
    description: `Lists the people of the workspace.${GUIDE}`,
    inputSchema: schema({}),
    annotations: { title: 'List Notion users', ...READS },
  },
  call: (_args, { workspace }) => json({ results: workspace.people }),
};

const getTeams: EmbeddedTool = {
  definition: {
    name: 'notion-get-teams',
    title: 'List Notion teamspaces',
    description: `Lists the teamspaces of the workspace.${GUIDE}`,
    inputSchema: schema({}),
    annotations: { title: 'List Notion teamspaces', ...READS },
  },
  call: () => json({ results: [{ id: 'team-1', name: 'Engineering' }] }),
};

export const announced: EmbeddedTool = {
  definition: {
    name: 'notion-announced',
    description: 'Comes and goes with notify-list-changed.',
    inputSchema: schema({}),
    annotations: READS,
  },
  call: () => text('announced'),
};

/** Version 2 adds notion-get-teams, as a release of the hosted server would. */
export function notionTools(version: number): EmbeddedTool[] {
  const first = [search, fetchPage, createPages, updatePage, createComment, getComments, getUsers];
  return version >= 2 ? [...first, getTeams] : first;
}

function described(page: Page): object {
  return { id: page.id, title: page.title, url: pageUrl(page), text: page.content };
}

function notFound(id: unknown) {
  return failure('object_not_found', `Could not find page ${String(id)}`);
}
