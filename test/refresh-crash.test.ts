import { expect, test } from 'vitest';
import { refresh, search } from './support/opened-tab.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { changeRecord, expireTokens } from './support/stored-record.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

/** A bridge that is killed while the token endpoint has its refresh, before or after the server did its work. */
async function killedDuringRefresh(mode: 'lenient' | 'strict', handled: boolean, expire = expireTokens) {
  const upstream = await upstreamInTest({ mode });
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  await expire(home);
  const gate = upstream.faults.hold('token', { when: refresh, handled });
  const call = search(bridge).catch(() => undefined);
  await gate.arrived;
  process.kill(bridge.pid, 'SIGKILL');
  await call;
  expect(await home.record()).toMatchObject({ generation: 1, refreshUnderWay: { owner: { pid: bridge.pid } } });
  return { upstream, home, gate, next: await spawnBridge({ home, url: upstream.url }) };
}

test.each([
  { mode: 'lenient', title: 'rotated the token', handled: true },
  { mode: 'lenient', title: 'has not seen the request', handled: false },
  { mode: 'strict', title: 'has not seen the request', handled: false },
] as const)('a refresh that died with its process is made up for at a $mode server that $title', async (story) => {
  const { upstream, home, next } = await killedDuringRefresh(story.mode, story.handled);
  expect(await search(next)).toMatchObject({ isError: false });
  expect(upstream.count(refresh)).toBe(2);
  const record = await home.record();
  expect(record).toMatchObject({ state: 'connected', generation: 2 });
  expect(record).not.toHaveProperty('refreshUnderWay');
  expect(home.browser.tabs).toHaveLength(1);
});

test('a rotation that died with its process at a strict server costs one sign-in, in place', async () => {
  const { upstream, home, next } = await killedDuringRefresh('strict', true);
  expect(await search(next)).toMatchObject({ isError: false });
  expect(
    upstream.requests.filter(({ grantType }) => grantType === 'refresh_token').map(({ status }) => status),
  ).toEqual([undefined, 400]);
  expect(home.browser.tabs).toHaveLength(2);
  expect(await home.record()).toMatchObject({ state: 'connected', history: [{ why: 'invalid_grant' }] });
});

test('at a strict server the token is not presented again while the access token still works', async () => {
  // the server may have rotated: a second presentation would end the grant (product.md 6.5)
  const expireSoon = (home: Parameters<typeof changeRecord>[0]) =>
    changeRecord(home, ({ grant }) => {
      if (!grant) return;
      grant.tokens.issuedAt = Date.now() - 3_500_000;
      grant.tokens.expiresAt = Date.now() + 100_000;
    });
  const { upstream, home, next } = await killedDuringRefresh('strict', false, expireSoon);
  for (let call = 0; call < 3; call++) expect(await search(next)).toMatchObject({ isError: false });
  expect(upstream.count(refresh)).toBe(1);
  await expireTokens(home);
  expect(await search(next)).toMatchObject({ isError: false });
  expect(upstream.count(refresh)).toBe(2);
  expect(home.browser.tabs).toHaveLength(1);
});
