import { expect, test } from 'vitest';
import { refresh, search } from './support/opened-tab.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { changeRecord, expireTokens } from './support/stored-record.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// What six of them do about such a crash is in test/fleet/crashes.ts.
test('at a strict server the token of a refresh that was cut by a crash is not presented again while the access token works', async () => {
  const upstream = await upstreamInTest({ mode: 'strict' });
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  await changeRecord(home, ({ grant }) => {
    if (!grant) return;
    grant.tokens.issuedAt = Date.now() - 3_500_000;
    grant.tokens.expiresAt = Date.now() + 100_000;
  });
  const gate = upstream.faults.hold('token', { when: refresh });
  const call = search(bridge).catch(() => undefined);
  await gate.arrived;
  process.kill(bridge.pid, 'SIGKILL');
  await call;
  expect(await home.record()).toMatchObject({ generation: 1, refreshUnderWay: { owner: { pid: bridge.pid } } });

  // the server may have rotated: a second presentation would end the grant (product.md 6.5)
  const next = await spawnBridge({ home, url: upstream.url });
  for (let call = 0; call < 3; call++) expect(await search(next)).toMatchObject({ isError: false });
  expect(upstream.count(refresh)).toBe(1);
  await expireTokens(home);
  expect(await search(next)).toMatchObject({ isError: false });
  expect(upstream.count(refresh)).toBe(2);
  expect(home.browser.tabs).toHaveLength(1);
});
