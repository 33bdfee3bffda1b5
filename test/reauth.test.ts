import { expect, test } from 'vitest';
import { refresh, search } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { expireTokens, waitForRecord } from './support/stored-record.ts';
import { approve, deny } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const revocation = { endpoint: 'revoke' } as const;

/** Somebody signed in before; from now on the person leaves tabs alone. */
async function signedInBefore() {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  home.browser.person = 'ignores';
  const spawn = () => spawnBridge({ home, url: upstream.url, args: ['--reauth'] });
  const grant = (await home.record())?.grant;
  if (!grant) throw new Error('nobody is signed in');
  return { upstream, home, spawn, old: grant };
}

test('--reauth signs in again on the first tool call, once, and the old grant serves meanwhile', async () => {
  const { upstream, home, spawn, old } = await signedInBefore();
  const bridge = await spawn();
  await bridge.client.listTools();
  await bridge.client.listPrompts();
  expect(await home.record()).not.toHaveProperty('pendingSignIn');

  expect(await search(bridge)).toMatchObject({ isError: false });
  const { url } = await home.browser.tab(2);
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(await home.record()).toMatchObject({ state: 'connected', grant: old });

  await approve(url);
  expect(await search(bridge)).toMatchObject({ isError: false });
  const revoked = await upstream.waitFor(revocation);
  expect(revoked).toMatchObject({ status: 200, clientId: old.registration.client_id });
  expect(revoked.form?.token).toBe(old.tokens.refresh_token);
  const record = await home.record();
  expect(record).toMatchObject({ state: 'connected', history: [{ client_id: old.registration.client_id }] });
  expect(await upstream.grants()).toMatchObject([{ clientId: record?.grant?.registration.client_id }]);
  expect(home.browser.tabs).toHaveLength(2);
  expect(upstream.count({ endpoint: 'register' })).toBe(2);
});

test('what is revoked is the refresh token that the record held when the new tokens came', async () => {
  const { upstream, home, spawn, old } = await signedInBefore();
  const bridge = await spawn();
  await search(bridge);
  const { url } = await home.browser.tab(2);
  await expireTokens(home);
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(upstream.count(refresh)).toBe(1);
  const rotated = (await home.record())?.grant?.tokens.refresh_token;
  expect(rotated).not.toBe(old.tokens.refresh_token);
  await approve(url);
  expect((await upstream.waitFor(revocation)).form?.token).toBe(rotated);
});

test('two copies with --reauth that are used at once share one sign-in', async () => {
  const { upstream, home, spawn } = await signedInBefore();
  const copies = await Promise.all([spawn(), spawn()]);
  for (const answer of await Promise.all(copies.map(search))) expect(answer).toMatchObject({ isError: false });
  await approve((await home.browser.tab(2)).url);
  await upstream.waitFor(revocation);
  for (const answer of await Promise.all(copies.map(search))) expect(answer).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(2);
  expect(upstream.count({ endpoint: 'register' })).toBe(2);
  expect(upstream.count(revocation)).toBe(1);
});

test('a copy with --reauth that is used after another has signed in again leaves that grant alone', async () => {
  const { upstream, home, spawn } = await signedInBefore();
  const [first, late] = [await spawn(), await spawn()];
  await search(first);
  await approve((await home.browser.tab(2)).url);
  await upstream.waitFor(revocation);
  expect(await search(late)).toMatchObject({ isError: false });
  expect(await search(first)).toMatchObject({ isError: false });
  expect(await home.record()).not.toHaveProperty('pendingSignIn');
  expect(upstream.count({ endpoint: 'register' })).toBe(2);
  expect(upstream.count(revocation)).toBe(1);
});

test('a denial during --reauth keeps the old grant connected, and is not asked again', async () => {
  const { upstream, home, spawn, old } = await signedInBefore();
  const bridge = await spawn();
  await search(bridge);
  expect((await deny((await home.browser.tab(2)).url)).body).toContain('Nothing has changed');
  await waitForRecord(home, ({ pendingSignIn }) => pendingSignIn === undefined);
  expect(await home.record()).toMatchObject({ state: 'connected', grant: old });
  for (let call = 0; call < 5; call++) expect(await search(bridge)).toMatchObject({ isError: false });
  expect(await home.record()).not.toHaveProperty('pendingSignIn');
  expect(home.browser.tabs).toHaveLength(2);
  expect(upstream.count(revocation)).toBe(0);
});

test('login --force replaces the grant, revokes the old one, and a running bridge goes on with the new', async () => {
  const { upstream, home, old } = await signedInBefore();
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  const login = runCommand(home, ['login', '--force', '--url', upstream.url]);
  const { url } = await home.browser.tab(2);
  expect(await search(bridge)).toMatchObject({ isError: false });
  await approve(url);
  expect(await login.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('signed in to Ada’s workspace') });
  expect((await upstream.waitFor(revocation)).form?.token).toBe(old.tokens.refresh_token);
  expect(await upstream.grants()).toHaveLength(1);
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect((await home.record())?.grant?.registration.client_id).not.toBe(old.registration.client_id);
  expect(home.browser.tabs).toHaveLength(2);
});

test('login --force that is denied says so and keeps the old grant', async () => {
  const { upstream, home, old } = await signedInBefore();
  const login = runCommand(home, ['login', '--force', '--url', upstream.url]);
  await deny((await home.browser.tab(2)).url);
  expect(await login.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('(AUTHORIZATION_DENIED)') });
  expect(await home.record()).toMatchObject({ state: 'connected', grant: old });
});
