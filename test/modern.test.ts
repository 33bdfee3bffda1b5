import { describe, expect, test } from 'vitest';
import { modernClient, told } from './support/modern-client.ts';
import { modernUpstream } from './support/modern-upstream.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { deferred } from './support/upstream/deferred.ts';

describe('the SDK 2.x client, which speaks 2026-07-28, at a server of the SDK 2.x', () => {
  test('is served in that era by --protocol: no initialize, no session, the headers of each request', async () => {
    const { upstream } = await modernUpstream();
    const client = await modernClient({ home: await homeInTest(), url: upstream.url, args: told });
    expect(client.getProtocolEra()).toBe('modern');
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['add', 'count', 'route', 'ask']);
    expect(await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } })).toMatchObject({
      content: [{ text: '5' }],
    });
    expect(await client.readResource({ uri: 'notion://page' })).toMatchObject({ contents: [{ text: 'A page' }] });
    const requests = upstream.requests.filter(({ endpoint }) => endpoint === 'mcp');
    expect(requests.map(({ rpc }) => rpc)).not.toContain('initialize');
    expect(requests.filter(({ sessionId, method }) => sessionId !== undefined || method !== 'POST')).toEqual([]);
    for (const { rpc, headers } of requests)
      expect(headers).toMatchObject({ 'mcp-protocol-version': '2026-07-28', 'mcp-method': rpc });
    expect(requests.find(({ tool }) => tool === 'add')?.headers['mcp-name']).toBe('add');
    expect(requests.find(({ rpc }) => rpc === 'resources/read')?.headers['mcp-name']).toBe('notion://page');
  });

  test('is asked for an answer in a result, which it gives in another request', async () => {
    const { upstream } = await modernUpstream();
    const client = await modernClient({ home: await homeInTest(), url: upstream.url, args: told });
    expect(await client.callTool({ name: 'ask', arguments: {} })).toMatchObject({
      content: [{ text: '{"name":"Ada"}' }],
    });
    const asked = upstream.requests.filter(({ tool }) => tool === 'ask').map(({ json }) => json);
    expect(asked).toMatchObject([
      {},
      { params: { requestState: 'as it was', inputResponses: { name: { action: 'accept' } } } },
    ]);
  });

  test('hears that the tools have changed on its subscription', async () => {
    const { upstream, reveal, notify } = await modernUpstream();
    const changed = deferred<string[]>();
    const onChanged = (_error: unknown, tools: { name: string }[] | null) =>
      changed.resolve((tools ?? []).map(({ name }) => name));
    const listChanged = { tools: { onChanged } };
    const client = await modernClient({ home: await homeInTest(), url: upstream.url, args: told, listChanged });
    await client.listTools();
    await upstream.waitFor({ rpc: 'subscriptions/listen', status: 200 });
    reveal();
    notify.toolsChanged();
    expect(await changed.promise).toContain('revealed');
  });

  test('signs in on its first call, once; a change is made once', async () => {
    const { upstream, counted } = await modernUpstream({ auth: true });
    const home = await homeInTest();
    const client = await modernClient({ home, url: upstream.url, args: told });
    expect(await client.callTool({ name: 'count', arguments: {} })).toMatchObject({ content: [{ text: '1' }] });
    expect(await client.callTool({ name: 'count', arguments: {} })).toMatchObject({ content: [{ text: '2' }] });
    expect(counted()).toBe(2);
    expect(home.browser.tabs).toHaveLength(1);
    expect(upstream.requests.filter(({ rpc, sessionId }) => rpc === 'initialize' || sessionId)).toEqual([]);
  });

  test('goes on when its access token has ended, with one refresh', async () => {
    const { upstream } = await modernUpstream({ auth: true });
    const client = await modernClient({ home: await homeInTest(), url: upstream.url, args: told });
    await client.callTool({ name: 'count', arguments: {} });
    await upstream.expireAccessTokens();
    const calls = Array.from({ length: 5 }, () => client.callTool({ name: 'count', arguments: {} }));
    for (const result of await Promise.all(calls)) expect(result).not.toHaveProperty('isError');
    expect(upstream.count({ endpoint: 'token', grantType: 'refresh_token' })).toBe(1);
  });
});

describe('without --protocol the era of the server', () => {
  test('is learnt behind a client of the other era, and served from the next start on', async () => {
    const { upstream } = await modernUpstream();
    const home = await homeInTest();
    const first = await modernClient({ home, url: upstream.url });
    expect(first.getProtocolEra()).toBe('legacy');
    expect(await first.callTool({ name: 'add', arguments: { a: 1, b: 1 } })).toMatchObject({
      content: [{ text: '2' }],
    });
    await upstream.waitFor({ rpc: 'server/discover', status: 200 });
    await expect.poll(() => home.lists()).toHaveProperty('discovery.result.supportedVersions', ['2026-07-28']);
    await first.close();

    const second = await modernClient({ home, url: upstream.url });
    expect(second.getProtocolEra()).toBe('modern');
    expect(second.getServerVersion()).toMatchObject({ name: 'modern', version: '3.0.0' });
    expect(second.getInstructions()).toBe('Ask away.');
    const calls = upstream.count({ rpc: 'initialize' });
    expect(await second.callTool({ name: 'add', arguments: { a: 1, b: 2 } })).toMatchObject({
      content: [{ text: '3' }],
    });
    expect(upstream.count({ rpc: 'initialize' })).toBe(calls);
  });

  test('is learnt by login, also from a server that speaks no other', async () => {
    const { upstream } = await modernUpstream({ auth: true, legacy: 'reject' });
    const home = await homeInTest();
    const login = await runCommand(home, ['login', '--url', upstream.url]).ended;
    expect(login, login.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('connected to modern') });
    const client = await modernClient({ home, url: upstream.url });
    expect(client.getProtocolEra()).toBe('modern');
    expect(await client.callTool({ name: 'count', arguments: {} })).toMatchObject({ content: [{ text: '1' }] });
    expect(home.browser.tabs).toHaveLength(1);
  });

  test('is learnt from a refusal of the other era, and served from the next start on', async () => {
    const { upstream } = await modernUpstream({ legacy: 'reject' });
    const home = await homeInTest();
    const first = await modernClient({ home, url: upstream.url });
    expect(first.getProtocolEra()).toBe('legacy');
    await expect(first.callTool({ name: 'count', arguments: {} })).rejects.toThrow('Unsupported protocol version');
    await expect.poll(() => home.lists()).toHaveProperty('discovery.result');
    await first.close();
    const second = await modernClient({ home, url: upstream.url });
    expect(second.getProtocolEra()).toBe('modern');
    expect(await second.callTool({ name: 'count', arguments: {} })).toMatchObject({ content: [{ text: '1' }] });
  });
});
