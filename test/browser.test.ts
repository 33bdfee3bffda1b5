import { symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from './support/run-command.ts';
import { homeInTest, spawnBridge, strippedEnvironment } from './support/spawn-bridge.ts';
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

test('without a desktop no opener is tried, and the link comes with the answer at once', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url, env: { BROWSER: '' } });
  const { text, isError } = await bridge.call('notion-connect');
  expect(isError).toBe(true);
  const link = /http:\S+/.exec(text)?.[0] as string;
  expect((await approve(link)).body).toContain('Connected');
  expect((await bridge.call('notion-search', { query: 'roadmap' })).isError).toBe(false);
  expect(home.browser.tabs).toHaveLength(0);
});

test('a login where no tab can open leaves the one tab of the need to whoever can', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const login = runCommand(home, ['login', '--url', upstream.url], { BROWSER: '' });
  await login.shows(/waiting for you/);
  login.kill('SIGINT');
  await login.ended;
  const bridge = await spawnBridge({ home, url: upstream.url });
  expect(await bridge.call('notion-search', { query: 'roadmap' })).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
});
