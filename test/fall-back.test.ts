import { describe, expect, test } from 'vitest';
import { asModern, rawModernClient, told } from './support/modern-client.ts';
import { modernUpstream } from './support/modern-upstream.ts';
import { spawnRaw } from './support/raw-client.ts';
import { answered, onMethod, scriptedModern } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const complete = { resultType: 'complete' };

describe('a server that refuses a revision', () => {
  const refusing = (id: unknown, supported: string[]) => {
    const error = { code: -32022, message: 'another', data: { supported, requested: '2026-07-28' }, x: 1 };
    return { status: 400, body: JSON.stringify({ jsonrpc: '2.0', id, error }) };
  };

  test('and offers the same one is asked once more, also for a call that may be made only once', async () => {
    let refusals = 1;
    const upstream = await scriptedModern(
      onMethod('tools/call', ({ json: { id } }) =>
        refusals-- > 0 ? refusing(id, ['2026-07-28']) : answered(id, { content: [], ...complete }),
      ),
    );
    const client = await rawModernClient(upstream.url);
    expect((await asModern(client)('tools/call', { name: 't' })).result).toEqual({ content: [], ...complete });
    const [first, second, ...others] = upstream.arrived.filter(({ json }) => json.method === 'tools/call');
    expect(second?.raw).toBe(first?.raw);
    expect(others).toEqual([]);
  });

  test('again and again gets its way: the client hears it byte for byte', async () => {
    const upstream = await scriptedModern(onMethod('x/y', ({ json: { id } }) => refusing(id, ['2026-07-28'])));
    const client = await rawModernClient(upstream.url);
    await asModern(client)('x/y', {}, 'a');
    const { raw } = await client.receive(({ id }) => id === 'a');
    expect(raw).toBe(refusing('a', ['2026-07-28']).body);
    expect(upstream.arrived.filter(({ json }) => json.method === 'x/y')).toHaveLength(2);
    expect(await asModern(client)('server/discover')).toHaveProperty('result');
  });

  test('for a later one: this client hears it, and discover names it from then on', async () => {
    let moved = false;
    const left = ['2026-11-30', '2025-11-25'];
    const upstream = await scriptedModern(({ json: { id, method } }) => {
      if (moved) return refusing(id, left);
      return method === 'tools/call' ? answered(id, { content: [], ...complete }) : undefined;
    });
    const home = await homeInTest();
    const client = spawnRaw({ home, url: upstream.url, args: told });
    await asModern(client)('tools/call', { name: 't' });
    await expect.poll(() => home.lists()).toHaveProperty('discovery.result.instructions', 'Ask.');
    moved = true;
    await asModern(client)('tools/call', { name: 't' }, 'a');
    expect((await client.receive(({ id }) => id === 'a')).raw).toBe(refusing('a', left).body);
    expect(upstream.arrived.filter(({ json }) => json.id === 'a')).toHaveLength(1);
    const next = spawnRaw({ home, url: upstream.url });
    const { error } = await asModern(next)('server/discover');
    expect(error).toMatchObject({ code: -32022, data: { supported: left, requested: '2026-07-28' } });
    expect((await next.request('server/discover')).result).toMatchObject({
      supportedVersions: left,
      instructions: 'Ask.',
    });
  });
});

describe('falling back', () => {
  const legacyRefusal = {
    status: 400,
    body: '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Bad Request: no session"}}',
  };

  test('a server that stopped speaking the era: the client is told so in its own words, and the cache with it', async () => {
    let isModern = true;
    const upstream = await scriptedModern(({ json: { id, method } }) => {
      if (!isModern && method !== 'initialize') return legacyRefusal;
      return method === 'tools/call' ? answered(id, { content: [], ...complete }) : undefined;
    });
    const home = await homeInTest();
    const first = spawnRaw({ home, url: upstream.url, args: told });
    await asModern(first)('tools/call', { name: 't' });
    await expect.poll(() => home.lists()).toHaveProperty('discovery.result');
    isModern = false;
    const second = spawnRaw({ home, url: upstream.url });
    expect(await asModern(second)('server/discover')).toHaveProperty('result');
    const { error } = await asModern(second)('tools/call', { name: 't' });
    const supported = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
    expect(error).toEqual({ code: -32022, message: expect.any(String), data: { supported, requested: '2026-07-28' } });
    const asked = upstream.arrived.length;
    // From now on nobody is asked for that, here and in the next start.
    expect((await asModern(second)('tools/list')).error).toMatchObject({ code: -32022 });
    expect((await asModern(second)('server/discover')).error).toMatchObject({ code: -32601 });
    expect(upstream.arrived).toHaveLength(asked);
    expect(await home.lists()).not.toHaveProperty('discovery.result');
    expect((await asModern(spawnRaw({ home, url: upstream.url }))('server/discover')).error).toMatchObject({
      code: -32601,
    });
  });

  test('a server that says itself which revisions are left is believed', async () => {
    const error = { code: -32022, message: 'no more', data: { supported: ['2025-11-25'], requested: '2026-07-28' } };
    const upstream = await scriptedModern(({ json: { id, method } }) =>
      method === 'tools/call' ? { status: 400, body: JSON.stringify({ jsonrpc: '2.0', id, error }) } : undefined,
    );
    const client = await rawModernClient(upstream.url);
    expect((await asModern(client)('tools/call', { name: 't' })).error).toEqual(error);
    expect((await asModern(client)('server/discover')).error).toMatchObject({ code: -32601 });
  });

  test.each([500, 503, 429])('a server that answers %i speaks what it spoke', async (status) => {
    const upstream = await scriptedModern(({ json }) =>
      json.method === 'tools/call' ? { status, body: 'sorry', headers: { 'retry-after': '3600' } } : undefined,
    );
    const client = await rawModernClient(upstream.url);
    expect((await asModern(client)('tools/call', { name: 't' })).result).toMatchObject({ isError: true, ...complete });
    expect(await asModern(client)('server/discover')).toHaveProperty('result');
  });

  test('a client of the other era keeps its own at a server that speaks both', async () => {
    const { upstream } = await modernUpstream();
    const client = await rawModernClient(upstream.url);
    expect(await client.hello()).toMatchObject({ protocolVersion: '2025-11-25' });
    expect(await client.textOf('add', { a: 1, b: 1 })).toBe('2');
    const call = upstream.requests.find(({ tool }) => tool === 'add');
    expect(call).toMatchObject({ protocolVersion: '2025-11-25' });
    expect(call?.headers).not.toHaveProperty('mcp-method');
  });

  test('a server that speaks the other era alone is asked for this one once in a while, and never on the way', async () => {
    const upstream = await upstreamInTest({ auth: false });
    const home = await homeInTest();
    const discover = { rpc: 'server/discover' } as const;
    const gate = upstream.faults.hold('mcp', { when: discover });
    const first = spawnRaw({ home, url: upstream.url });
    expect((await asModern(first)('server/discover')).error).toMatchObject({ code: -32601 });
    await first.hello();
    expect(await first.textOf('notion-get-users')).toContain('Ada');
    await gate.arrived;
    expect(await first.textOf('notion-get-users')).toContain('Ada');
    gate.release();
    await expect.poll(() => home.lists()).toHaveProperty('discovery.askedAt');
    for (const args of [[], told]) {
      const next = spawnRaw({ home, url: upstream.url, args });
      expect((await asModern(next)('server/discover')).error).toMatchObject({ code: -32601 });
      expect((await asModern(next)('tools/list')).error).toMatchObject({ code: -32022 });
      await next.hello();
      await next.textOf('notion-get-users');
      expect((await next.request('prompts/list')).result.prompts).toHaveLength(1);
    }
    expect(upstream.count(discover)).toBe(1);
  });

  test('--protocol with a revision of the other era: nobody is asked', async () => {
    const { upstream } = await modernUpstream();
    const client = await rawModernClient(upstream.url, ['--protocol', '2025-11-25']);
    expect((await asModern(client)('server/discover')).error).toMatchObject({ code: -32601 });
    expect((await asModern(client)('initialize')).error).toMatchObject({ code: -32022 });
    await client.hello();
    await client.textOf('add', { a: 1, b: 1 });
    expect((await client.request('resources/list')).result.resources).toHaveLength(1);
    expect(upstream.count({ rpc: 'server/discover' })).toBe(0);
  });
});
