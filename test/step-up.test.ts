import { expect, test } from 'vitest';
import { search } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const insufficientScope = {
  kind: 'status',
  status: 403,
  headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="write"' },
} as const;

const scopeOf = (url: string | undefined) => new URL(url as string).searchParams.get('scope');

test('a call that needs more scope signs in again for the union of scopes, and goes on', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url });
  expect(await search(bridge)).toMatchObject({ isError: false });
  upstream.faults.next('mcp', insufficientScope, { when: { rpc: 'tools/call' } });
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(home.browser.tabs.map(({ url }) => scopeOf(url))).toEqual(['default', 'default write']);
  expect(upstream.count({ endpoint: 'register' })).toBe(2);
});

test('login signs in again where the server wants more scope for the connection itself', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const login = () => runCommand(home, ['login', '--url', upstream.url]).ended;
  expect(await login()).toMatchObject({ code: 0 });
  upstream.faults.next('mcp', insufficientScope, { when: { rpc: 'initialize' } });
  const again = await login();
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('signed in to') });
  expect(home.browser.tabs.map(({ url }) => scopeOf(url))).toEqual(['default', 'default write']);
});
