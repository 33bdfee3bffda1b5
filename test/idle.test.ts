import { expect, test } from 'vitest';
import { search } from './support/opened-tab.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { waitForRecord } from './support/stored-record.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// A bridge that was there before the first record, and that nobody asks for anything (product.md 5).

test('an idle bridge connects when another one signs in', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  await spawnBridge({ home, url: upstream.url });
  const bridge = await spawnBridge({ home, url: upstream.url });
  expect(await search(bridge)).toMatchObject({ isError: false });
  await upstream.waitFor({ endpoint: 'mcp', method: 'GET', status: 200 }, { nth: 2 });
});

test('an idle bridge takes over the sign-in of one that dies', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const idle = await spawnBridge({ home, url: upstream.url });
  const bridge = await spawnBridge({ home, url: upstream.url });
  const call = search(bridge).catch(() => undefined);
  await home.browser.tab(1);
  process.kill(bridge.pid, 'SIGKILL');
  await call;
  const { pendingSignIn } = await waitForRecord(home, ({ pendingSignIn }) => pendingSignIn?.owner.pid === idle.pid);
  expect(pendingSignIn?.prepared?.url).toBe(home.browser.tabs[0]?.url);
});
