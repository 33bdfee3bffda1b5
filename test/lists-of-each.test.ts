import { expect, test } from 'vitest';
import { type HelloOptions, type RawClient, spawnRaw } from './support/raw-client.ts';
import { answered, scriptedUpstream } from './support/scripted-upstream.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { cachedLists, fillCache, listChanged, names } from './support/tool-lists.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

async function greeted(home: Home, url: string, hello: HelloOptions = {}): Promise<RawClient> {
  const client = spawnRaw({ home, url });
  await client.hello(hello);
  return client;
}

/** A server whose one tool is named after the client that lists it, until it says nothing any more. */
async function namingServer() {
  const clients = new Map<string, string>();
  let silent = false;
  const server = await scriptedUpstream(({ json: { id, method, params }, request }) => {
    if (method === 'initialize') {
      const session = String(clients.size);
      clients.set(session, JSON.stringify([params.clientInfo, params.capabilities]));
      const serverInfo = { name: 'naming', version: '1' };
      const answer = answered(id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo });
      return { ...answer, headers: { 'content-type': 'application/json', 'mcp-session-id': session } };
    }
    if (method !== 'tools/list') return undefined;
    if (silent) return 'own';
    return answered(id, { tools: [{ name: clients.get(String(request.headers['mcp-session-id'])) }] });
  });
  const fallSilent = () => {
    silent = true;
  };
  return { url: server.url, fallSilent };
}

test('each client gets the list that upstream gave to a client of its name, version and capabilities', async () => {
  const { url, fallSilent } = await namingServer();
  const home = await homeInTest();
  const clientInfo = { name: 'one', version: '1' };
  const hellos: HelloOptions[] = [
    { clientInfo },
    { clientInfo: { ...clientInfo, name: 'two' } },
    { clientInfo: { ...clientInfo, version: '2' } },
    { clientInfo, capabilities: { sampling: {} } },
  ];
  const itsOwn = hellos.map(({ clientInfo, capabilities = {} }) => [JSON.stringify([clientInfo, capabilities])]);
  for (const [nth, hello] of hellos.entries()) {
    const client = await greeted(home, url, hello);
    expect(await names(client)).toEqual(itsOwn[nth]);
    await expect.poll(() => cachedLists(home)).toHaveLength(nth + 1);
    await client.leave();
  }
  fallSilent();
  const unknown = await greeted(home, url, { clientInfo, capabilities: { roots: {} } });
  unknown.send({ id: 'list', method: 'tools/list' });
  const cached = hellos.map(async (hello) => names(await greeted(home, url, hello)));
  expect(await Promise.all(cached)).toEqual(itsOwn);
  expect(unknown.lines.filter(({ json }) => json.id === 'list')).toEqual([]);
});

test('every process that gave the cached list says when the live one differs, and only then', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const home = await homeInTest();
  const before = await fillCache(home, upstream);
  for (const version of [1, 2]) {
    await upstream.releaseToolList(version);
    const gate = upstream.faults.hold('mcp', { when: { rpc: 'tools/list' }, times: Number.POSITIVE_INFINITY });
    const clients = await Promise.all([greeted(home, upstream.url), greeted(home, upstream.url)]);
    expect(await Promise.all(clients.map((client) => names(client)))).toEqual([before, before]);
    const read = upstream.count({ rpc: 'resources/templates/list', status: 200 });
    gate.release();
    upstream.faults.clear();
    await upstream.waitFor({ rpc: 'resources/templates/list', status: 200 }, { nth: read + clients.length });
    for (const client of clients) {
      if (version === 2) await client.receive(listChanged);
      const after = await names(client);
      expect(after).toEqual(version === 1 ? before : [...before, 'notion-get-teams']);
      expect(client.lines.filter(({ json }) => /list_changed$/.test(json.method))).toHaveLength(version - 1);
      await client.leave();
    }
  }
});

test('a list that could not be had is announced once it can, without anybody asking for it', async () => {
  // regression: a client that got an error had no tools to call, and nothing else led to a new attempt
  const upstream = await upstreamInTest({ auth: false });
  // longer than a request waits, so that it is told at once; the bridge asks again then, and no earlier
  const busy = { kind: 'status', status: 429, headers: { 'retry-after': '31' } } as const;
  upstream.faults.next('mcp', busy, { times: Number.POSITIVE_INFINITY });
  const client = await greeted(await homeInTest(), upstream.url);
  expect(await client.request('tools/list')).toMatchObject({ error: { data: { code: 'UPSTREAM_REFUSED' } } });
  upstream.faults.clear();
  await client.receive(listChanged);
  expect(await names(client)).toContain('notion-search');
  expect(client.lines.filter(({ json }) => listChanged(json))).toHaveLength(1);
});
