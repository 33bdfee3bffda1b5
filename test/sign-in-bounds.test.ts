import { expect, test } from 'vitest';
import { search } from './support/opened-tab.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { approve } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

test('a call is answered within its bound although the authorization server is silent, and the sign-in goes on', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const bridge = await spawnBridge({ home, url: upstream.url });
  // two requests that stay within their own time limits, and together do not
  const gate = upstream.faults.hold('register');
  upstream.faults.next('metadata', { kind: 'delay', ms: 10_000 });
  expect((await search(bridge)).text).toMatch(/^AUTHORIZATION_SERVER_UNREACHABLE: .* within 30 seconds/);
  const second = search(bridge);
  gate.release();
  await approve((await home.browser.tab(1)).url);
  expect(await second).toMatchObject({ isError: false });
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});
