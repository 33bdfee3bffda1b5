import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { homeInTest, spawnBridge, strippedEnvironment } from './support/spawn-bridge.ts';
import { waitForRecord } from './support/stored-record.ts';
import { approve } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

test('a desktop without $BROWSER is opened through xdg-open', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const folder = dirname(home.browser.command);
  await symlink(home.browser.command, join(folder, 'xdg-open'));
  const { PATH } = strippedEnvironment(home);
  const env = { BROWSER: '', DISPLAY: ':0', PATH: `${folder}:${PATH}` };
  const bridge = await spawnBridge({ home, url: upstream.url, env });
  const { text, isError } = await bridge.call('notion-search', { query: 'roadmap' });
  expect(isError, text).toBe(false);
  expect(home.browser.tabs).toHaveLength(1);
});

test('without a desktop no opener is tried, and the link comes with the answer', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const bridge = await spawnBridge({
    home,
    url: upstream.url,
    env: { BROWSER: '' },
    clientInfo: { name: 'claude-ai', version: '0.1.0' },
  });
  const asked = bridge.call('notion-connect');
  await upstream.waitFor({ endpoint: 'register' });
  const record = await waitForRecord(home, ({ pendingSignIn }) => pendingSignIn?.prepared !== undefined);
  expect((await approve(record.pendingSignIn?.prepared?.url as string)).body).toContain('Connected');
  expect(home.browser.tabs).toHaveLength(0);
  expect((await asked).isError).toBe(false);
});
