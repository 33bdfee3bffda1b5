import { expect, test } from 'vitest';
import { linkIn, refresh, search } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { expireTokens, pendingSignIn, waitForRecord } from './support/stored-record.ts';
import { approve, approveUnfollowed } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

const run = (home: Home, upstream: Upstream, args: string[], env = {}) =>
  runCommand(home, [...args, '--url', upstream.url], env);

test('login opens a tab, waits, stores the grant and says to which workspace it belongs', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const first = await run(home, upstream, ['login']).ended;
  expect(first).toMatchObject({ code: 0 });
  expect(first.stdout).toContain('your browser is open');
  expect(first.stdout).toMatch(/signed in to Ada’s workspace; connected to Notion \(embedded\)\n$/);
  expect(await home.record()).toMatchObject({ state: 'connected', generation: 1 });
  // one connect fills the caches for the first start of a client (product.md 4)
  const bridge = await spawnBridge({ home, url: upstream.url });
  expect(bridge.client.getServerVersion()).toMatchObject({ name: 'Notion MCP (embedded)' });

  const again = await run(home, upstream, ['login']).ended;
  expect(again).toMatchObject({ code: 0 });
  expect(again.stdout).toBe('connected to Notion (embedded) (already signed in; `login --force` signs in again)\n');
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('login joins the sign-in that a bridge began, and both go on with it', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const bridge = await spawnBridge({ home, url: upstream.url });
  const call = search(bridge);
  const { url } = await home.browser.tab(1);
  const login = run(home, upstream, ['login']);
  expect(linkIn(await login.shows(/http\S+authorize\S+/))).toBe(url);
  await approve(url);
  expect(await login.ended).toMatchObject({ code: 0 });
  expect(await call).toMatchObject({ isError: false });
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('login --no-browser prints the link and the ssh line, and takes the address that the browser could not show', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const login = run(home, upstream, ['login', '--no-browser']);
  const url = linkIn(await login.shows(/http\S+authorize\S+/));
  const { prepared } = await pendingSignIn(home);
  await login.shows(new RegExp(`ssh -L ${prepared?.port}:127.0.0.1:${prepared?.port} `));
  login.write('https://example.com/?code=1\n');
  await login.shows(/that is not the address of this sign-in/);
  login.write(`${await approveUnfollowed(url)}\n`);
  const { code, stdout } = await login.ended;
  expect(code).toBe(0);
  expect(stdout).toContain('signed in to Ada’s workspace');
  expect(home.browser.tabs).toHaveLength(0);
});

test('login without an input to read from waits all the same', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const login = run(home, upstream, ['login']);
  login.endInput();
  await approve((await home.browser.tab(1)).url);
  expect(await login.ended).toMatchObject({ code: 0 });
});

test('a login that is interrupted leaves the sign-in to whoever runs', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const login = run(home, upstream, ['login']);
  const { url } = await home.browser.tab(1);
  await login.shows(/waiting for you/);
  login.kill('SIGINT');
  const { code, stderr } = await login.ended;
  expect(code).toBe(1);
  expect(stderr).toMatch(/\(AUTHORIZATION_TIMED_OUT\)\n {2}next: /);
  const bridge = await spawnBridge({ home, url: upstream.url });
  await waitForRecord(home, ({ pendingSignIn: now }) => now?.owner.pid === bridge.pid);
  await approve(url);
  expect(await search(bridge)).toMatchObject({ isError: false });
});

test('a login that waits for a silent server can be interrupted', { timeout: 9_000 }, async () => {
  const upstream = await upstreamInTest();
  const login = run(await homeInTest(), upstream, ['login']);
  const gate = upstream.faults.hold('metadata');
  await gate.arrived;
  login.kill('SIGINT');
  expect(await login.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('(AUTHORIZATION_TIMED_OUT)') });
});

test('login at a server without authorization says that none is needed', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const home = await homeInTest();
  const { code, stdout } = await run(home, upstream, ['login']).ended;
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: 'connected to Notion (embedded) (this server needs no sign-in)\n',
  });
});

test('login that the person denies says so', async () => {
  const upstream = await upstreamInTest();
  const { code, stderr } = await run(await homeInTest('denies'), upstream, ['login']).ended;
  expect(code).toBe(1);
  expect(stderr).toContain('the sign-in was declined in the browser (AUTHORIZATION_DENIED)\n  next: run `npx');
});

test('logout revokes at the server and signs out every process: the next call gets a link, and no tab', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  const { code, stdout } = await run(home, upstream, ['logout']).ended;
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'revoked the sign-in at the server\nsigned out\n' });
  expect(await upstream.grants()).toEqual([]);
  const record = await home.record();
  expect(record).toMatchObject({ state: 'signed_out', history: [{ why: 'logout' }] });
  expect(record).not.toHaveProperty('grant');

  const { text } = await search(bridge);
  expect(text).toMatch(/^REAUTH_REQUIRED: /);
  expect(home.browser.tabs).toHaveLength(1);
  await approve(linkIn(text));
  expect(await search(bridge)).toMatchObject({ isError: false });

  await run(home, upstream, ['logout']).ended;
  const twice = await run(home, upstream, ['logout']).ended;
  expect(twice).toMatchObject({ code: 0, stdout: 'nobody was signed in\n' });
});

test('logout ends the grant although a refresh rotated its token meanwhile', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  await expireTokens(home);
  const gate = upstream.faults.hold('token', { when: refresh, handled: true });
  const call = search(bridge);
  await gate.arrived;
  // to this server the older token means nothing any more (RFC 7009 section 2.2)
  upstream.faults.next('revoke', { kind: 'status', status: 200 });
  const logout = run(home, upstream, ['logout']);
  const older = await upstream.waitFor({ endpoint: 'revoke' });
  gate.release();
  expect(await logout.ended).toMatchObject({ code: 0 });
  await call;
  expect(older.form?.token).not.toBe((await upstream.waitFor({ endpoint: 'revoke' }, { nth: 2 })).form?.token);
  expect(await home.record()).toMatchObject({ state: 'signed_out' });
  expect(await upstream.grants()).toEqual([]);
});

test('a logout that cannot reach the server forgets all the same, and says so', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  await run(home, upstream, ['login']).ended;
  upstream.faults.next('revoke', { kind: 'lose-request' });
  const { code, stdout, stderr } = await run(home, upstream, ['logout']).ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^the server still has the sign-in; remove the connection at .* in its settings\nsigned out\n$/,
  );
  expect(stderr).toContain('could not revoke the sign-in at the server');
  expect(await home.record()).toMatchObject({ state: 'signed_out' });
});
