import { expect, test } from 'vitest';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { runCommand } from './support/run-command.ts';
import { answered, scriptedUpstream } from './support/scripted-upstream.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const lists = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
};

/** What the embedded upstream offers, and what is declared before anything is known of an upstream. */
const everything = {
  tools: { listChanged: true },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: true },
  logging: {},
  completions: {},
};

/** Resolves once the side file of cached lists holds what upstream said. */
async function cached(home: Home): Promise<void> {
  await expect.poll(() => home.files()).toContainEqual(expect.stringMatching(/\.lists\.json$/));
}

async function leave(bridge: RawClient): Promise<void> {
  bridge.endInput();
  expect(await bridge.ended).toMatchObject({ code: 0, signal: null });
}

test('a probe that is killed after server/discover leaves no trace', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const home = await homeInTest();
  const probe = spawnRaw({ home, url: upstream.url });
  expect(await probe.request('server/discover')).toMatchObject({ error: { code: -32601 } });
  probe.endInput();
  probe.kill('SIGTERM');
  expect(await probe.ended).toMatchObject({ signal: null });
  expect(await home.files()).toEqual([]);
  expect(upstream.requests).toEqual([]);
});

test('discover, ping and initialize are answered by us: no request, no browser, no lock, no file', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const bridge = spawnRaw({ home, url: upstream.url });
  expect(await bridge.request('server/discover')).toMatchObject({ error: { code: -32601 } });
  expect(await bridge.request('ping')).toEqual({ jsonrpc: '2.0', id: expect.anything(), result: {} });
  expect(await bridge.hello()).toEqual({
    protocolVersion: '2025-11-25',
    capabilities: everything,
    serverInfo: { name: 'notion-mcp-bridge', title: 'Notion', version: expect.stringMatching(/^\d/) },
  });
  // Time enough for what `initialized` may begin.
  for (let round = 0; round < 50; round += 1) await bridge.request('ping');
  expect(await home.files()).toEqual([]);
  await leave(bridge);
  expect(await home.files()).toEqual([]);
  expect(upstream.requests).toEqual([]);
  expect(home.browser.tabs).toEqual([]);
});

test.each([
  ['2024-11-05', '2024-11-05'],
  ['2025-03-26', '2025-03-26'],
  ['2025-06-18', '2025-06-18'],
  ['2025-11-25', '2025-11-25'],
  ['2026-07-28', '2025-11-25'],
  ['1999-01-01', '2025-11-25'],
])('a client that asks for revision %s gets %s', async (protocolVersion, negotiated) => {
  const home = await homeInTest();
  const bridge = spawnRaw({ home, url: 'http://127.0.0.1:9/mcp' });
  expect(await bridge.hello({ protocolVersion })).toMatchObject({ protocolVersion: negotiated });
});

test('an older revision that upstream negotiated bounds the next start, and each leg keeps its own', async () => {
  const upstream = await scriptedUpstream(({ json: { id, method } }) => {
    if (method === 'initialize') {
      const serverInfo = { name: 'old', version: '1' };
      return answered(id, { protocolVersion: '2025-03-26', capabilities: { tools: {} }, serverInfo });
    }
    return method === 'tools/call' ? answered(id, { content: [] }) : undefined;
  });
  const home = await homeInTest();
  const first = spawnRaw({ home, url: upstream.url });
  expect(await first.hello()).toMatchObject({ protocolVersion: '2025-11-25' });
  await first.call('any');
  const { request } = await upstream.waitFor(({ json }) => json.method === 'tools/call');
  expect(request.headers['mcp-protocol-version']).toBe('2025-03-26');
  await cached(home);
  await leave(first);
  for (const [asked, negotiated] of [
    ['2025-11-25', '2025-03-26'],
    ['2024-11-05', '2024-11-05'],
  ]) {
    const later = spawnRaw({ home, url: upstream.url });
    expect(await later.hello({ protocolVersion: asked as string })).toMatchObject({ protocolVersion: negotiated });
  }
});

test('from the second start on upstream describes itself, even while it hangs', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const first = spawnRaw({ home, url: upstream.url });
  await first.hello();
  expect(await first.call('notion-get-users')).not.toHaveProperty('result.isError');
  await cached(home);
  await leave(first);

  const gate = upstream.faults.hold('mcp', { when: { rpc: 'initialize' } });
  const second = spawnRaw({ home, url: upstream.url });
  expect(await second.hello()).toEqual({
    protocolVersion: '2025-11-25',
    capabilities: everything,
    serverInfo: { name: 'Notion MCP (embedded)', title: 'Notion (embedded)', version: '1.0.1' },
    instructions: expect.stringContaining('Search before you fetch'),
  });
  // connects ahead, since there is a token
  await gate.arrived;
  const call = second.call('notion-get-users');
  expect(await second.request('ping')).toMatchObject({ result: {} });
  gate.release();
  expect(await call).toMatchObject({ result: { content: [{ text: expect.stringContaining('Ada') }] } });
});

test('login fills the cache, so that the first start of a client has everything', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const login = await runCommand(home, ['login', '--url', upstream.url]).ended;
  expect(login, login.stderr).toMatchObject({ code: 0 });
  const bridge = spawnRaw({ home, url: upstream.url });
  expect(await bridge.hello()).toMatchObject({
    serverInfo: { title: 'Notion (embedded)' },
    instructions: expect.stringContaining('Search before you fetch'),
  });
  expect(home.browser.tabs).toHaveLength(1);
});

test('unknown members of what upstream says of itself reach the client of the next start', async () => {
  const said = {
    protocolVersion: '2025-11-25',
    capabilities: { tools: { 'x-tools': 1 }, experimental: { 'x/y': { z: [] } }, extensions: { 'io.example/a': {} } },
    serverInfo: { name: 'odd', version: '1', icons: [{ src: 'data:,' }], 'x-info': null },
    _meta: { 'example.test/a': 1 },
    'x-top': true,
  };
  const upstream = await scriptedUpstream(({ json: { id, method } }) => {
    if (method === 'initialize') return answered(id, said);
    return method === 'tools/call' ? answered(id, { content: [] }) : undefined;
  });
  const home = await homeInTest();
  const first = spawnRaw({ home, url: upstream.url });
  await first.hello();
  await first.call('any');
  await cached(home);
  await leave(first);
  const second = spawnRaw({ home, url: upstream.url });
  const capabilities = { ...said.capabilities, tools: { 'x-tools': 1, listChanged: true } };
  expect(await second.hello()).toEqual({ ...said, capabilities });
});

test('upstream gets what the client said of itself, word for word', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const bridge = spawnRaw({ home: await homeInTest(), url: upstream.url });
  const params = {
    protocolVersion: '2025-06-18',
    capabilities: {
      roots: { listChanged: true },
      experimental: { 'x/y': {} },
      extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html;profile=mcp-app'] } },
    },
    clientInfo: { name: 'claude-ai', version: '0.1.0', title: 'Claude ✳', 'x-info': [1] },
    _meta: { 'example.test/a': 1 },
  };
  await bridge.hello(params);
  await bridge.call('notion-get-users');
  const [initialize, initialized] = upstream.requests;
  expect(initialize?.json).toEqual({ jsonrpc: '2.0', id: expect.anything(), method: 'initialize', params });
  expect(initialized).toMatchObject({ rpc: 'notifications/initialized', protocolVersion: '2025-06-18' });
});

test('what upstream lacks is empty, whether we know it yet or not', async () => {
  const upstream = await scriptedUpstream(({ json: { id, method } }) => {
    return method === 'tools/list' ? answered(id, { tools: [{ name: 'only' }] }) : undefined;
  });
  const bridge = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await bridge.hello();
  const ref = { type: 'ref/prompt', name: 'p' };
  const argument = { name: 'a', value: '' };
  const ask = async () => {
    const completion = bridge.request('completion/complete', { ref, argument });
    const level = bridge.request('logging/setLevel', { level: 'info' });
    const subscription = bridge.request('resources/subscribe', { uri: 'x:y' });
    expect((await completion).result).toEqual({ completion: { values: [] } });
    expect((await level).result).toEqual({});
    expect((await subscription).result).toEqual({});
    for (const [method, member] of Object.entries(lists)) {
      const expected = member === 'tools' ? [{ name: 'only' }] : [];
      expect((await bridge.request(method)).result).toEqual({ [member]: expected });
    }
  };
  await ask();
  await upstream.waitFor(({ json }) => json.method === 'server/discover');
  const asked = upstream.arrived.length;
  await ask();
  // By now it is known: nobody is asked for what does not exist.
  const later = upstream.arrived.slice(asked).map(({ json }) => json.method);
  expect(new Set(later)).toEqual(new Set(['tools/list']));
  // A method that we did not have to promise is upstream's to refuse.
  expect(await bridge.request('tasks/list')).toMatchObject({ error: { code: -32601 } });
});
