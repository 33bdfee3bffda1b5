import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fillUp } from './support/mount.ts';
import { mountSmall } from './support/mount-in-test.ts';
import { codeExchange, linkIn, openedTab, search } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { ageTokens, changeRecord, storeFolder } from './support/stored-record.ts';
import { approve } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

/** A bridge that is signed in, at a server that then forgets the grant or the client. */
async function signedInAt(forget: 'revokeGrants' | 'deleteClients') {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  await ageTokens(home);
  await upstream[forget]();
  return { upstream, home, bridge };
}

test('a denial is remembered: calls get links, no tab opens by itself, and the link still works', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('denies');
  const bridge = await spawnBridge({ home, url: upstream.url });
  expect((await search(bridge)).text).toMatch(/^AUTHORIZATION_DENIED: /);
  expect((await home.browser.tab(1)).page?.body).toContain('Not connected');
  expect(await home.record()).toMatchObject({ state: 'declined' });

  const second = await search(bridge);
  const third = await search(bridge);
  expect(second.text).toMatch(/^REAUTH_REQUIRED: /);
  expect(linkIn(third.text)).toBe(linkIn(second.text));
  expect(home.browser.tabs).toHaveLength(1);
  expect((await approve(linkIn(third.text))).body).toContain('Connected');
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
});

test('after a denial, notion-connect opens one tab, and no second one beside it', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('denies');
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  home.browser.person = 'ignores';
  const first = bridge.call('notion-connect');
  const { url } = await home.browser.tab(2);
  const second = bridge.call('notion-connect');
  expect((await search(bridge)).text).toContain(url);
  await approve(url);
  expect((await first).text).toContain('Connected to Notion (embedded)');
  expect((await second).text).toContain('Connected to Notion (embedded)');
  expect(home.browser.tabs).toHaveLength(2);
});

test('notion-connect asks the server, whatever session stands: a grant that has ended is no connection', async () => {
  const { home, bridge } = await signedInAt('revokeGrants');
  expect(await bridge.call('notion-connect')).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(2);
  expect(await search(bridge)).toMatchObject({ isError: false });
});

test('a reconnect that the person ignores is answered within its bound, and can be approved later', async () => {
  const { upstream, home, bridge } = await signedInAt('revokeGrants');
  home.browser.person = 'ignores';
  const waited = await search(bridge);
  expect(waited.text).toMatch(/^AUTHORIZATION_TIMED_OUT: .* within 10 seconds/);
  const again = await search(bridge);
  expect(again.text).toMatch(/^REAUTH_REQUIRED: /);
  const { url } = await home.browser.tab(2);
  expect([linkIn(waited.text), linkIn(again.text)]).toEqual([url, url]);

  await approve(url);
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(2);
  expect(upstream.count({ endpoint: 'register' })).toBe(2);
});

test('a second approval in the same tab is redeemed, too, and replaces the grant that it ended', async () => {
  const { upstream, home, bridge, call, url } = await openedTab();
  await approve(url);
  expect(await call).toMatchObject({ isError: false });
  expect((await approve(url)).body).toContain('Connected');
  expect(upstream.count(codeExchange)).toBe(2);
  expect(await upstream.grants()).toHaveLength(1);
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(await home.record()).toMatchObject({ state: 'connected', generation: 2 });
  expect(upstream.count({ grantType: 'refresh_token' })).toBe(0);
});

test('a second approval while the disk takes nothing is redeemed, too: the grant of the first is not alive any more', async (context) => {
  const home = await homeInTest('ignores');
  await mkdir(storeFolder(home), { mode: 0o700 });
  if (!mountSmall(storeFolder(home), '256k')) context.skip('cannot mount here');
  const { upstream, call, bridge, url } = await openedTab({}, [], home);
  const gate = upstream.faults.hold('token', { when: codeExchange, handled: true });
  const first = approve(url);
  await gate.arrived;
  const filler = join(storeFolder(home), 'filler');
  await fillUp(filler, 0);
  gate.release();
  const second = approve(url);
  await upstream.waitFor({ ...codeExchange, status: 200 }, { nth: 2 });
  await writeFile(filler, '');
  for (const page of [await first, await second]) expect(page.body).toContain('Connected');
  expect(await call).toMatchObject({ isError: false });
  await upstream.expireAccessTokens();
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
});

test('a registration that the server deleted is replaced by a reconnect', async () => {
  const { upstream, home, bridge } = await signedInAt('deleteClients');
  await upstream.expireAccessTokens();
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(2);
  expect(await home.record()).toMatchObject({ state: 'connected', history: [{ why: 'invalid_client' }] });
});

test('--no-browser opens no tab: the result brings the link at once, and another bridge may still open the one tab', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const silent = await spawnBridge({ home, url: upstream.url, args: ['--no-browser'] });
  const { text } = await search(silent);
  expect(text).toMatch(/^REAUTH_REQUIRED: /);
  expect(home.browser.tabs).toHaveLength(0);

  const other = await spawnBridge({ home, url: upstream.url });
  const waiting = search(other);
  expect((await home.browser.tab(1)).url).toBe(linkIn(text));
  await approve(linkIn(text));
  expect(await waiting).toMatchObject({ isError: false });
  expect(await search(silent)).toMatchObject({ isError: false });
});

test('an opener that fails is noticed, and the result brings the link at once', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const opener = join(home.path, 'failing-opener');
  await writeFile(opener, '#!/bin/sh\nexit 3\n');
  await chmod(opener, 0o755);
  const bridge = await spawnBridge({ home, url: upstream.url, env: { BROWSER: opener } });
  const { text } = await search(bridge);
  expect(text).toMatch(/^REAUTH_REQUIRED: /);
  await expect.poll(bridge.stderr).toContain('could not open a browser');
  expect(bridge.stderr()).not.toContain(linkIn(text));
  await approve(linkIn(text));
  expect(await search(bridge)).toMatchObject({ isError: false });
});

test('a callback port that another program has is named, and costs nothing', async () => {
  const { upstream, home, bridge } = await signedInAt('revokeGrants');
  await bridge.close();
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void stranger.close());
  const { port } = stranger.address() as AddressInfo;
  const args = ['--callback-port', String(port)];
  const fixed = await spawnBridge({ home, url: upstream.url, args });
  const before = await home.record();
  expect((await search(fixed)).text).toMatch(`CONFIG_INVALID: callback port ${port} is taken by another program`);
  expect(await home.record()).toMatchObject({ state: 'needs_reconnect', grant: { tokens: before?.grant?.tokens } });
  expect(await home.record()).not.toHaveProperty('pendingSignIn');
  expect(upstream.count({ endpoint: 'register' })).toBe(1);

  await new Promise((resolve) => stranger.close(resolve));
  expect(await search(fixed)).toMatchObject({ isError: false });
  expect((await home.record())?.grant?.redirectUri).toBe(`http://127.0.0.1:${port}/callback`);
});

async function freePort(): Promise<string> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return String(port);
}

test('a link that nobody followed for an hour gives way to a new one when somebody asks, on a fixed port too', async () => {
  const args = ['--callback-port', await freePort()];
  const { upstream, home, bridge, call, url } = await openedTab({}, args);
  await changeRecord(home, ({ pendingSignIn: pending }) => {
    if (pending) pending.since -= 61 * 60_000;
  });
  home.browser.person = 'approves';
  expect(await runCommand(home, ['login', '--url', upstream.url, ...args]).ended).toMatchObject({ code: 0 });
  expect(home.browser.tabs.map((tab) => tab.url === url)).toEqual([true, false]);
  expect(upstream.count({ endpoint: 'register' })).toBe(2);
  expect([await call, await search(bridge)]).toMatchObject([{ isError: false }, { isError: false }]);
});

test('a fixed callback port serves one sign-in after the other, whichever process had the last', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const args = ['--callback-port', await freePort(), '--url', upstream.url];
  // the listener of this one stays for a while after the approval (product.md 7)
  const bridge = await spawnBridge({ home, url: upstream.url, args });
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(await runCommand(home, ['logout', ...args]).ended).toMatchObject({ code: 0 });
  expect(await runCommand(home, ['login', ...args]).ended).toMatchObject({ code: 0 });
  expect(await search(bridge)).toMatchObject({ isError: false });
});
