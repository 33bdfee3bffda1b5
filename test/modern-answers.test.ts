import { describe, expect, test } from 'vitest';
import { asModern, modernMeta, rawModernClient, told } from './support/modern-client.ts';
import { modernUpstream } from './support/modern-upstream.ts';
import { spawnRaw } from './support/raw-client.ts';
import { answered, discovered, onMethod, scriptedModern, scriptedUpstream } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';

const complete = { resultType: 'complete' };
const stale = { ...complete, ttlMs: 0, cacheScope: 'private' };

describe('answers of our own have the form of the era', () => {
  test('discover, before anything is known', async () => {
    const home = await homeInTest();
    const client = spawnRaw({ home, url: 'http://127.0.0.1:9/mcp', args: told });
    expect((await asModern(client)('server/discover')).result).toEqual({
      supportedVersions: ['2026-07-28'],
      capabilities: expect.objectContaining({ tools: { listChanged: true }, prompts: { listChanged: true } }),
      _meta: { 'io.modelcontextprotocol/serverInfo': expect.objectContaining({ name: 'notion-mcp-bridge' }) },
      ...stale,
    });
    expect(await home.files()).toEqual([]);
  });

  test('what the revision removed is unknown in it, and nobody is asked', async () => {
    const home = await homeInTest();
    const client = spawnRaw({ home, url: 'http://127.0.0.1:9/mcp', args: told });
    for (const method of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']) {
      const error = { code: -32601, message: expect.any(String) };
      expect(await asModern(client)(method, {}, method)).toEqual({ jsonrpc: '2.0', id: method, error });
    }
    expect(await client.hello()).toHaveProperty('protocolVersion', '2025-11-25');
    expect(await home.files()).toEqual([]);
  });

  test('discover, from the second start on: what the server said, unknown members included', async () => {
    const upstream = await scriptedModern(
      onMethod('tools/call', ({ json }) => answered(json.id, { content: [], ...complete })),
    );
    const home = await homeInTest();
    const first = spawnRaw({ home, url: upstream.url, args: told });
    await asModern(first)('tools/call', { name: 't' });
    await expect.poll(() => home.lists()).toHaveProperty('discovery.result');
    const second = spawnRaw({ home, url: upstream.url });
    const capabilities = { ...discovered.capabilities, tools: { listChanged: true } };
    expect((await asModern(second)('server/discover')).result).toEqual({ ...discovered, capabilities, ...stale });
    const unheard = modernMeta({ 'io.modelcontextprotocol/protocolVersion': '2027-01-01' });
    const { error } = await second.request('server/discover', { _meta: unheard });
    const data = { supported: discovered.supportedVersions, requested: '2027-01-01' };
    expect(error).toEqual({ code: -32022, message: expect.any(String), data });
  });

  test('what asks for a sign-in: our tool, the result of a call, and the error of anything else', async () => {
    const { upstream } = await modernUpstream({ auth: true });
    const client = spawnRaw({ home: await homeInTest('ignores'), url: upstream.url, args: told });
    const ask = asModern(client);
    const list = await ask('tools/list');
    expect(list.result).toEqual({ tools: [expect.objectContaining({ name: 'notion-connect' })], ...stale });
    const { error } = await ask('resources/read', { uri: 'notion://page' });
    expect(error).toMatchObject({ code: -31_000, data: { code: 'REAUTH_REQUIRED' } });
  });

  test('our tool, which makes no change whose outcome could be unknown', async () => {
    const page = { headers: { 'content-type': 'text/html' }, body: '<h1>Welcome to the network</h1>' };
    const upstream = await scriptedUpstream(onMethod('server/discover', () => page));
    const ask = asModern(await rawModernClient(upstream.url));
    const { result } = await ask('tools/call', { name: 'notion-connect' });
    expect(result.content[0].text).toMatch(/^UPSTREAM_REFUSED: .*text\/html/);
  });

  test('a list from the cache, which is stale at once', async () => {
    const { upstream } = await modernUpstream();
    const home = await homeInTest();
    const first = spawnRaw({ home, url: upstream.url, args: told });
    const { result } = await asModern(first)('tools/list');
    await expect.poll(async () => Object.keys((await home.lists())?.clients ?? {})).toHaveLength(1);
    first.endInput();
    await first.ended;
    await upstream.stop();
    const second = spawnRaw({ home, url: upstream.url, args: told });
    expect((await asModern(second)('tools/list')).result).toEqual({ ...result, ...stale });
  });

  test('what the server lacks although we declared it', async () => {
    const upstream = await scriptedModern(({ json: { id, method } }) => {
      if (method === 'server/discover' || id === undefined) return undefined;
      return { status: 404, body: JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32601, message: 'none' } }) };
    });
    const ask = asModern(await rawModernClient(upstream.url));
    expect((await ask('prompts/list')).result).toEqual({ prompts: [], ...stale });
    expect((await ask('completion/complete')).result).toEqual({ completion: { values: [] }, ...complete });
  });
});
