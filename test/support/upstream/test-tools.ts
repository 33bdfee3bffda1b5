import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { keyedTools } from './keyed-tools.ts';
import { type CallContext, type EmbeddedTool, failure, json, rested, schema, text } from './tool.ts';

const NUMBER = { type: 'number' };
const STRING = { type: 'string' };

const slow: EmbeddedTool = {
  definition: {
    name: 'slow',
    description: 'Takes ms milliseconds in steps steps and reports progress after each; can be cancelled.',
    inputSchema: schema({ ms: NUMBER, 'steps?': NUMBER }),
    annotations: { readOnlyHint: true },
  },
  async call({ ms, steps: asked }, context) {
    const steps = Number(asked ?? 1);
    for (let step = 1; step <= steps; step += 1) {
      if (!(await rested(Number(ms) / steps, context))) return text('cancelled');
      await progress(step, steps, context);
    }
    return text(`slept ${ms} ms`);
  },
};

async function progress(step: number, total: number, { extra }: CallContext): Promise<void> {
  const progressToken = extra._meta?.progressToken;
  if (progressToken === undefined) return;
  const params = { progressToken, progress: step, total, message: `step ${step} of ${total}` };
  await extra.sendNotification({ method: 'notifications/progress', params });
}

const big: EmbeddedTool = {
  definition: {
    name: 'big',
    description: 'Returns a text of the given size.',
    inputSchema: schema({ bytes: NUMBER }),
    annotations: { readOnlyHint: true },
  },
  call: ({ bytes }) => text('0123456789abcdef'.repeat(Math.ceil(Number(bytes) / 16)).slice(0, Number(bytes))),
};

/** As pages are: lines, quotes, and characters that take more than one byte. */
const paragraph = `## Release of the "import"
- [x] the order of the blocks is kept, in <page url="https://www.notion.so/0123456789abcdef">tables</page>, too
- [ ] who tells the customers? – Grace, until Friday 🚀

`;

const page: EmbeddedTool = {
  definition: {
    name: 'page',
    description: 'Returns Markdown of the given size in UTF-8.',
    inputSchema: schema({ bytes: NUMBER }),
    annotations: { readOnlyHint: true },
  },
  call: ({ bytes }) => {
    const size = Buffer.byteLength(paragraph);
    return text(paragraph.repeat(Math.floor(Number(bytes) / size)) + 'x'.repeat(Number(bytes) % size));
  },
};

const report: EmbeddedTool = {
  definition: {
    name: 'report',
    description: 'Reports progress the given number of times, without a pause.',
    inputSchema: schema({ times: NUMBER }),
    annotations: { readOnlyHint: true },
  },
  async call({ times }, context) {
    for (let step = 1; step <= Number(times); step += 1) await progress(step, Number(times), context);
    return text(`reported ${times} times`);
  },
};

const ask: EmbeddedTool = {
  definition: {
    name: 'ask',
    description: 'Asks the person a question (elicitation) and returns the answer.',
    inputSchema: schema({ 'message?': STRING }),
  },
  async call({ message }, { extra }) {
    const requestedSchema = { type: 'object' as const, properties: { answer: { type: 'string' as const } } };
    const params = { mode: 'form' as const, message: String(message ?? 'What is your answer?'), requestedSchema };
    return json(await extra.sendRequest({ method: 'elicitation/create', params }, ElicitResultSchema));
  },
};

const sample: EmbeddedTool = {
  definition: {
    name: 'sample',
    description: 'Asks the model of the client (sampling) and returns its message.',
    inputSchema: schema({ 'prompt?': STRING }),
  },
  async call({ prompt }, { extra }) {
    const content = { type: 'text' as const, text: String(prompt ?? 'Say hello.') };
    const params = { messages: [{ role: 'user' as const, content }], maxTokens: 100 };
    return json(await extra.sendRequest({ method: 'sampling/createMessage', params }, CreateMessageResultSchema));
  },
};

const roots: EmbeddedTool = {
  definition: { name: 'roots', description: 'Lists the roots of the client.', inputSchema: schema({}) },
  call: async (_args, { extra }) => json(await extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema)),
};

const notifyListChanged: EmbeddedTool = {
  definition: {
    name: 'notify-list-changed',
    description: 'Adds the tool notion-announced, or takes it away, and tells every session.',
    inputSchema: schema({}),
  },
  call: (_args, { toggleAnnouncedTool }) => json({ present: toggleAnnouncedTool() }),
};

const count: EmbeddedTool = {
  definition: {
    name: 'count',
    description: 'Returns how often it was executed, this time included.',
    inputSchema: schema({}),
    annotations: { readOnlyHint: false, idempotentHint: false },
  },
  call: (_args, { counters }) => text(String(counters.executions('count'))),
};

const echoRaw: EmbeddedTool = {
  definition: {
    name: 'echo-raw',
    description: 'Returns its arguments and _meta, among members that no specification knows.',
    inputSchema: { type: 'object', additionalProperties: true },
    annotations: { readOnlyHint: true },
  },
  call: (args, { extra }) => ({
    content: [{ type: 'text', text: JSON.stringify({ args, _meta: extra._meta ?? null }), 'x-unknown-content': 1 }],
    structuredContent: { args, 'x-unknown-structured': [1, { two: null }] },
    _meta: { 'example.test/unknown': { kept: true } },
    'x-unknown-result': { kept: true },
  }),
};

const refuse: EmbeddedTool = {
  definition: {
    name: 'refuse',
    description: 'Fails as Notion does, with the given code: restricted_resource or rate_limited.',
    inputSchema: schema({ code: STRING }),
    annotations: { readOnlyHint: true },
  },
  call({ code }) {
    const wait = code === 'rate_limited' ? { retry_after_seconds: 7, rate_limit_reason: 'burst' } : {};
    return { ...failure(String(code), 'refused on request'), structuredContent: { error: { code, ...wait } } };
  },
};

export const testTools: readonly EmbeddedTool[] = [
  slow,
  big,
  page,
  report,
  ask,
  sample,
  roots,
  notifyListChanged,
  count,
  echoRaw,
  refuse,
  ...keyedTools,
];
