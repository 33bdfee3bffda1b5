import { describe, expect, test } from 'vitest';
import { matchesGlob } from '../src/mcp/shown-tools.ts';
import { lineWith } from './support/line.ts';
import { asModern, modernMeta, told } from './support/modern-client.ts';
import { modernUpstream } from './support/modern-upstream.ts';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { answered, onMethod, scriptedModern } from './support/scripted-upstream.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { UpstreamOptions } from './support/upstream/upstream.ts';

// product.md 10: tools are filtered on the way out, whatever is cached, and refused on call.

type Tool = { name: string; annotations?: { readOnlyHint?: boolean } };

async function toolsOf(client: RawClient, params: object = {}): Promise<Tool[]> {
  return (await client.request('tools/list', params)).result.tools;
}

async function namesOf(client: RawClient): Promise<string[]> {
  return (await toolsOf(client)).map(({ name }) => name);
}

async function greeted(args: string[], options: UpstreamOptions = {}) {
  const upstream = await upstreamInTest({ auth: false, ...options });
  const home = await homeInTest();
  const client = spawnRaw({ home, url: upstream.url, args });
  await client.hello();
  return { upstream, home, client };
}

describe('with --read-only', () => {
  test('the client sees what is annotated so, and the cache keeps what the server said', async () => {
    const { upstream, home, client } = await greeted(['--read-only']);
    const shown = await toolsOf(client);
    expect(shown.map(({ name }) => name)).toContain('notion-search');
    expect(shown.filter(({ annotations }) => annotations?.readOnlyHint !== true)).toEqual([]);
    await expect.poll(async () => JSON.stringify(await home.lists())).toContain('"notion-update-page"');
    client.endInput();
    await client.ended;

    const gates = [1, 2, 3, 4].map(() => upstream.faults.hold('mcp', { when: { rpc: 'tools/list' } }));
    const [narrow, wide] = [['--read-only'], []].map((args) => spawnRaw({ home, url: upstream.url, args }));
    for (const later of [narrow, wide]) await later?.hello();
    expect(await toolsOf(narrow as RawClient)).toEqual(shown);
    expect(await namesOf(wide as RawClient)).toContain('notion-update-page');
    for (const { release } of gates) release();
  });

  test('a call of any other tool is refused with the option that did it, and never sent', async () => {
    const { upstream, client } = await greeted(['--read-only']);
    await namesOf(client);
    const { result } = await client.call('notion-update-page', {});
    expect(result).toMatchObject({ isError: true });
    expect(result.content[0].text).toMatch(
      /^TOOL_HIDDEN: notion-update-page is hidden by --read-only \(.*NOTION_MCP_BRIDGE_READ_ONLY/,
    );
    expect(await client.textOf('nobody-knows-it')).toContain('nothing is known of it');
    expect(await client.textOf('notion-search', { query: 'release' })).toContain('Release checklist');
    const called = upstream.requests.flatMap(({ tool }) => tool ?? []);
    expect(called).toEqual(['notion-search']);
  });

  test('a tool of a list in pages may be called as soon as its page is there', async () => {
    const page = { tools: [{ name: 'read', annotations: { readOnlyHint: true } }], nextCursor: 'more' };
    const { client } = await lineWith(['--read-only'], ({ json: { id, method } }) => {
      if (method === 'tools/call') return answered(id, { content: [{ type: 'text', text: 'called' }] });
      // the bridge reads the whole list for itself, and does not get it
      if (method === 'tools/list') return id === 'page' ? answered(id, page) : 'own';
      return undefined;
    });
    await client.request('tools/list', {}, 'page');
    expect(await client.textOf('read')).toBe('called');
  });
});

test('--hide-tool hides what matches, and only that', async () => {
  const { upstream, client } = await greeted(['--hide-tool', 'notion-create-*', '--hide-tool', 'notion-fetch']);
  const names = await namesOf(client);
  expect(names).toContain('notion-search');
  expect(names.filter((name) => name.startsWith('notion-create-') || name === 'notion-fetch')).toEqual([]);
  expect(await client.textOf('notion-create-pages', { pages: [] })).toContain('hidden by --hide-tool notion-create-*');
  expect(upstream.count({ tool: 'notion-create-pages' })).toBe(0);
});

test('the environment hides tools, too', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const env = { NOTION_MCP_BRIDGE_READ_ONLY: 'true', NOTION_MCP_BRIDGE_HIDE_TOOL: 'notion-fetch, *-users' };
  const { client } = await spawnBridge({ home: await homeInTest(), url: upstream.url, env });
  const { tools } = await client.listTools();
  const names = tools.map(({ name }) => name);
  expect(names).toContain('notion-search');
  for (const hidden of ['notion-fetch', 'notion-get-users', 'notion-update-page']) expect(names).not.toContain(hidden);
});

test('notion-connect stays, whatever is hidden', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('denies');
  const client = spawnRaw({ home, url: upstream.url, args: ['--read-only', '--hide-tool', '*'] });
  await client.hello();
  expect(await namesOf(client)).toEqual(['notion-connect']);
  home.browser.person = 'approves';
  expect(await client.textOf('notion-connect')).toContain('Connected to Notion (embedded)');
  expect(await namesOf(client)).toEqual([]);
});

test('a change of a list is announced as ever', async () => {
  const { upstream, client } = await greeted(['--hide-tool', 'notion-get-teams']);
  const before = await namesOf(client);
  await upstream.waitFor({ endpoint: 'mcp', method: 'GET', status: 200 });
  await upstream.releaseToolList(2);
  await client.receive(({ method }) => method === 'notifications/tools/list_changed');
  expect(await namesOf(client)).toEqual(before);
});

describe('what is shown keeps its bytes (P9)', () => {
  const read = '{"name":"read","annotations":{"readOnlyHint":true},"x":1.0,"inputSchema":{"type":"object"}}';
  const write = '{"name":"write","inputSchema":{"type":"object"}}';
  const body = (tools: string) => `{"id":"a","result":{"tools":[${tools}], "n":12345678901234567890},"jsonrpc":"2.0"}`;
  const script = (tools: string) =>
    onMethod('tools/list', ({ json }) =>
      json.id === 'a'
        ? { body: body(tools), headers: { 'content-type': 'application/json' } }
        : answered(json.id, { tools: JSON.parse(`[${tools}]`) }),
    );
  const cases = [
    ['where nothing is hidden', read, ['--read-only', '--hide-tool', 'write*']],
    ['beside what is hidden', `${write}, ${read}`, ['--read-only']],
  ] as const;

  test.each(cases)('%s, up to 2025-11-25', async (_where, tools, args) => {
    const { client } = await lineWith([...args], script(tools));
    await client.request('tools/list', {}, 'a');
    expect((await client.receive(({ id }) => id === 'a')).raw).toBe(body(read));
  });

  test.each(cases)('%s, from 2026-07-28 on', async (_where, tools, args) => {
    const upstream = await scriptedModern(script(tools));
    const client = spawnRaw({ home: await homeInTest(), url: upstream.url, args: [...told, ...args] });
    await asModern(client)('tools/list', {}, 'a');
    expect((await client.receive(({ id }) => id === 'a')).raw).toBe(body(read));
  });
});

test('a client of 2026-07-28 sees and calls the same', async () => {
  const { upstream, counted } = await modernUpstream();
  const args = [...told, '--read-only', '--hide-tool', 'r?ute'];
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url, args });
  const ask = asModern(client);
  expect((await toolsOf(client, { _meta: modernMeta() })).map(({ name }) => name)).toEqual(['add']);
  const { result } = await ask('tools/call', { name: 'count', arguments: {} });
  expect(result).toMatchObject({ isError: true, resultType: 'complete' });
  expect(result.content[0].text).toContain('hidden by --read-only');
  expect(await ask('tools/call', { name: 'route', arguments: { region: 'x', place: {} } })).toMatchObject({
    result: { content: [{ text: expect.stringContaining('hidden by --hide-tool r?ute') }] },
  });
  expect(await ask('tools/call', { name: 'add', arguments: { a: 1, b: 2 } })).toMatchObject({
    result: { content: [{ text: '3' }] },
  });
  expect(counted()).toBe(0);
});

test.each([
  ['notion-*', 'notion-search', true],
  ['notion-*', 'notion-', true],
  ['*', '', true],
  ['*', '.a/b', true],
  ['*-page?', 'notion-create-pages', true],
  ['*-page?', 'notion-create-page', false],
  ['*a*b', 'xaybzb', true],
  ['*a*b', 'xaybzc', false],
  ['?', '✳', true],
  ['?', '😀', true],
  ['search', 'notion-search', false],
  ['Notion-*', 'notion-search', false],
  ['[a-z]+(x)', '[a-z]+(x)', true],
  ['[a-z]', 'b', false],
  ['', 'a', false],
])('the glob %j and the name %j: %j', (glob, name, expected) => {
  expect(matchesGlob(name, glob)).toBe(expected);
});

test('a name that was made to be hard to match is matched', () => {
  expect(matchesGlob('a'.repeat(20_000), '*a*a*a*a*a*a*a*b')).toBe(false);
});
