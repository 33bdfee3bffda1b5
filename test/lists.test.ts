import { expect, test } from 'vitest';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { runCommand } from './support/run-command.ts';
import { answered, openStream, scriptedUpstream } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { cachedLists, fillCache, holdToolLists, listChanged, names } from './support/tool-lists.ts';
import { approve } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

test('signed out with nothing cached: one tab, notion-connect, and the real tools in place after the approval', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const claude = spawnRaw({ home, url: upstream.url });
  await claude.hello({ clientInfo: { name: 'claude-ai', version: '0.1.0' } });
  const inClaude = names(claude);
  const { url } = await home.browser.tab();

  // Claude asks once and waits for the person; the others get our tool after 8 s.
  const clients = [1, 2].map(() => spawnRaw({ home, url: upstream.url }));
  for (const client of clients) {
    await client.hello();
    client.send({ id: 'list', method: 'tools/list' });
  }
  for (const client of clients) {
    const { result } = (await client.receive(({ id }) => id === 'list')).json;
    expect(result.tools).toMatchObject([{ name: 'notion-connect', annotations: { readOnlyHint: true } }]);
  }
  expect(claude.lines).toHaveLength(1);
  const connect = (clients[0] as RawClient).textOf('notion-connect');
  await (clients[0] as RawClient).request('ping');

  await approve(url);
  expect(await inClaude).toContain('notion-search');
  expect(await connect).toContain('Connected to Notion (embedded)');
  for (const client of clients) {
    await client.receive(listChanged);
    const listed = await names(client);
    expect(listed).toContain('notion-search');
    expect(listed).not.toContain('notion-connect');
  }
  expect(home.browser.tabs).toHaveLength(1);
});

test('notion-connect opens the tab when no sign-in is pending, waits, and answers', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  expect(await client.textOf('notion-connect')).toContain('Connected to Notion (embedded)');
  expect(home.browser.tabs).toHaveLength(1);
  expect(await names(client)).toContain('notion-search');
});

test('what may not open a tab opens none, and is answered for what it is', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  const read = () => client.request('resources/read', { uri: 'notion://workspace/recent-pages' });
  const prompt = () => client.request('prompts/get', { name: 'summarize-page' });
  const argument = { name: 'page', value: '' };
  for (const request of [read, prompt]) {
    const { error } = await request();
    expect(error).toMatchObject({
      code: -32000,
      data: { code: 'REAUTH_REQUIRED', hint: expect.stringMatching(/login/) },
    });
    expect(error.data).not.toHaveProperty('signInUrl');
  }
  expect((await client.request('prompts/list')).result).toEqual({ prompts: [] });
  expect((await client.request('resources/list')).result).toEqual({ resources: [] });
  expect((await client.request('resources/templates/list')).result).toEqual({ resourceTemplates: [] });
  expect((await client.request('logging/setLevel', { level: 'error' })).result).toEqual({});
  expect((await client.request('resources/subscribe', { uri: 'notion://workspace/recent-pages' })).result).toEqual({});
  const ref = { type: 'ref/prompt', name: 'summarize-page' };
  expect(await client.request('completion/complete', { ref, argument })).toHaveProperty('error.data.code');
  expect(home.browser.tabs).toEqual([]);
  expect(upstream.count({ endpoint: 'register' })).toBe(0);

  client.send({ id: 'call', method: 'tools/call', params: { name: 'notion-get-users' } });
  const { url } = await home.browser.tab();
  for (const request of [read, prompt]) expect((await request()).error.data).toMatchObject({ signInUrl: url });
  await approve(url);
  expect((await client.receive(({ id }) => id === 'call')).json).toHaveProperty('result');
  // What the client had set meanwhile is set now, and the lists that were empty are announced.
  await upstream.waitFor({ rpc: 'logging/setLevel', status: 200 });
  await upstream.waitFor({ rpc: 'resources/subscribe', status: 200 });
  await client.receive(({ method }) => method === 'notifications/prompts/list_changed');
  await client.receive(({ method }) => method === 'notifications/resources/list_changed');
  expect((await client.request('prompts/list')).result.prompts).toHaveLength(1);
});

test('a list that does not come is answered from the cache of this very client, and announced when it differs', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const home = await homeInTest();
  const before = await fillCache(home, upstream);
  await upstream.releaseToolList(2);
  const gates = holdToolLists(upstream, 4);
  const other = spawnRaw({ home, url: upstream.url });
  await other.hello({ clientInfo: { name: 'raw-client', version: '2.0.0' } });
  other.send({ id: 'list', method: 'tools/list' });
  await Promise.all(gates.slice(0, 2).map(({ arrived }) => arrived));
  const same = spawnRaw({ home, url: upstream.url });
  await same.hello();
  expect(await names(same)).toEqual(before);
  expect(other.lines).toHaveLength(1);

  for (const { release } of gates) release();
  const listed = (await other.receive(({ id }) => id === 'list')).json.result.tools;
  expect(listed.map(({ name }: { name: string }) => name)).toEqual([...before, 'notion-get-teams']);
  await same.receive(listChanged);
  expect(await names(same)).toEqual([...before, 'notion-get-teams']);
});

test('a live list is given once, also when its stream stays open', async () => {
  const tools = [{ name: 'only', inputSchema: { type: 'object' } }];
  const upstream = await scriptedUpstream((arrived) => {
    const { id, method } = arrived.json;
    if (method !== 'tools/list') return undefined;
    if (id === 'open') {
      openStream(arrived);
      arrived.response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { tools } })}\n\n`);
    }
    return id === 'open' || id === 'never' ? 'own' : answered(id, { tools });
  });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  expect(await names(client)).toEqual(['only']);
  for (const id of ['open', 'never']) client.send({ id, method: 'tools/list' });
  // Answered from the cache: by then the other would have been, too.
  await client.receive(({ id }) => id === 'never');
  expect(client.lines.filter(({ json }) => json.id === 'open')).toHaveLength(1);
});

test('a dead grant answers lists from the cache, without a tab', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const login = await runCommand(home, ['login', '--url', upstream.url]).ended;
  expect(login, login.stderr).toMatchObject({ code: 0 });
  const before = await fillCache(home, upstream);
  await upstream.revokeGrants();
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  await expect.poll(async () => (await home.record())?.state, { timeout: 10_000 }).toBe('needs_reconnect');
  expect(await names(client)).toEqual(before);
  expect((await client.request('prompts/list')).result.prompts).toHaveLength(1);
  expect(home.browser.tabs).toHaveLength(1);
});

test('a list in pages is read page by page, cached whole, and its cursors end with the session', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true, paginate: 4 });
  const home = await homeInTest();
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  const pages: { tools: { name: string }[]; nextCursor?: string }[] = [];
  do {
    const cursor = pages.at(-1)?.nextCursor;
    const { result, error } = await client.request('tools/list', cursor === undefined ? {} : { cursor });
    expect(error).toBeUndefined();
    pages.push(result);
  } while (pages.at(-1)?.nextCursor);
  expect(pages.length).toBeGreaterThan(3);
  expect(new Set(pages.slice(0, -1).map(({ tools }) => tools.length))).toEqual(new Set([4]));

  const { nextCursor: cursor } = pages[0] as { nextCursor?: string };
  await upstream.dropSessions();
  expect(await client.request('tools/list', { cursor })).toMatchObject({ error: { code: -32602 } });
  expect(await names(client)).toHaveLength(4);
  await expect.poll(() => cachedLists(home)).toEqual([4]);
  client.endInput();
  await client.ended;

  const gates = holdToolLists(upstream, 2);
  const later = spawnRaw({ home, url: upstream.url });
  await later.hello();
  expect(await later.request('tools/list', { cursor })).toMatchObject({ error: { code: -32602 } });
  const { result } = await later.request('tools/list');
  expect(result.tools).toEqual(pages.flatMap(({ tools }) => tools));
  expect(result).not.toHaveProperty('nextCursor');
  for (const { release } of gates) release();
});

test('signing in as somebody else ends the session of a running bridge, which goes on in a new one', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  await names(client);
  await upstream.waitFor({ rpc: 'resources/templates/list', status: 200 });
  const [session] = upstream.sessions;
  home.browser.person = 'ignores';
  const login = runCommand(home, ['login', '--force', '--url', upstream.url]);
  const { url } = await home.browser.tab(2);
  await approve(url, { user: 'grace' });
  expect(await login.ended).toMatchObject({ code: 0 });

  await upstream.waitFor({ method: 'DELETE', sessionId: session as string });
  await client.call('notion-get-users');
  const [call] = upstream.requests.filter(({ tool }) => tool === 'notion-get-users');
  expect(call?.sessionId).not.toBe(session);
  expect((await upstream.grants()).some(({ userId }) => userId === 'grace')).toBe(true);
  expect(home.browser.tabs).toHaveLength(2);
});

test('however often a change of a list is announced at once, it is read once more, not once for each', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  await client.request('tools/list');
  await upstream.waitFor({ endpoint: 'mcp', method: 'GET', status: 200 });
  await client.textOf('count');
  const before = upstream.count({ rpc: 'tools/list' });
  const gate = upstream.faults.hold('mcp', { when: { rpc: 'tools/list' } });
  for (let version = 2; version < 32; version += 1) await upstream.releaseToolList(version);
  await client.receive(({ method }) => method === 'notifications/tools/list_changed', 30);
  gate.release();
  await client.textOf('count');
  await client.request('ping');
  expect(upstream.count({ rpc: 'tools/list' }) - before).toBeLessThanOrEqual(2);
});
