import { request } from 'node:http';
import { expect, test } from 'vitest';
import { codeExchange, openedTab, search } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, type SpawnedBridge, spawnBridge } from './support/spawn-bridge.ts';
import { changeRecord, pendingSignIn, waitForRecord } from './support/stored-record.ts';
import { approve, approveUnfollowed, deny, follow } from './support/upstream/browser.ts';
import type { Upstream } from './support/upstream/upstream.ts';

// What arrives at the loopback listener is untrusted (product.md 11).

/** A request as another program, or a page under another name, may send it. */
function knock(url: URL, { method = 'GET', host = url.host } = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { host }, hostname: url.hostname, port: url.port };
    request({ ...options, path: url.pathname + url.search }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

const retryLinkIn = (page: string) =>
  /<a class="act" href="([^"]*)">Try again/.exec(page)?.[1]?.replace(/&#38;/g, '&') ?? 'no retry link';

test('a wrong state, a foreign host, another method or path are refused, and the sign-in goes on', async () => {
  const { upstream, home, call, url } = await openedTab();
  const callback = new URL(await approveUnfollowed(url));
  const forged = new URL(callback);
  forged.searchParams.set('state', 'made-up');
  const page = await follow(forged.href);
  expect(page.body).toContain('This sign-in is finished');
  expect(page.body).not.toContain('Try again');
  expect(await knock(callback, { host: `rebound.example:${callback.port}` })).toBe(421);
  expect(await knock(callback, { host: `localhost:${callback.port}` })).toBe(421);
  expect(await knock(callback, { method: 'POST' })).toBe(405);
  expect(await knock(new URL('/', callback))).toBe(404);
  expect(await knock(new URL('/sign-in/made-up', callback))).toBe(404);
  expect(upstream.count(codeExchange)).toBe(0);

  expect((await follow(callback.href)).body).toContain('Connected');
  expect(await call).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
});

test('a callback that comes again gets the same page, and its code is redeemed once', async () => {
  const { upstream, call, url } = await openedTab();
  const callback = await approveUnfollowed(url);
  const gate = upstream.faults.hold('token', { when: codeExchange });
  const first = follow(callback);
  await gate.arrived;
  const second = follow(callback);
  gate.release();
  const pages = await Promise.all([first, second]);
  pages.push(await follow(callback));
  for (const { status, location, body } of pages) {
    expect({ status, body }).toEqual({ status: 200, body: pages[0]?.body });
    expect(location).not.toContain('code=');
  }
  expect(pages[0]?.body).toContain('Connected to Ada’s workspace');
  expect(await call).toMatchObject({ isError: false });
  expect(upstream.count(codeExchange)).toBe(1);
});

test.each([
  { title: 'is refused', fault: { kind: 'status', status: 400, body: { error: 'invalid_grant' } } as const },
  { title: 'gets no answer', fault: { kind: 'lose-response' } as const },
  { title: 'gets a page of the edge', fault: { kind: 'html' } as const },
])('an exchange that $title leaves the sign-in pending, and the page leads to another try', async ({ fault }) => {
  const { upstream, home, call, url } = await openedTab();
  const before = await pendingSignIn(home);
  upstream.faults.next('token', fault, { when: codeExchange });
  const callback = await approveUnfollowed(url);
  const failed = await follow(callback);
  expect(failed.body).toContain('The sign-in did not work');
  const retry = retryLinkIn(failed.body);
  expect(retry).not.toBe(url);
  const after = await pendingSignIn(home);
  expect(after).toMatchObject({ id: before.id, prepared: { url: retry, registration: before.prepared?.registration } });
  expect(after).not.toHaveProperty('redeeming');

  // reloading does not present the code again
  expect((await follow(callback)).body).toBe(failed.body);
  expect(upstream.count(codeExchange)).toBe(1);
  expect((await approve(retry)).body).toContain('Connected');
  expect(await call).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('a code whose exchange failed is not presented by a successor either', async () => {
  // the successor has only the record, in which the code's state is not known any more
  const { upstream, home, bridge, url } = await openedTab();
  upstream.faults.next('token', { kind: 'html', handled: true }, { when: codeExchange });
  const callback = await approveUnfollowed(url);
  const retry = retryLinkIn((await follow(callback)).body);
  const successor = await takenOver(upstream, home, bridge);
  expect((await follow(callback)).body).toContain('This sign-in is finished');
  expect(upstream.count(codeExchange)).toBe(1);
  expect((await approve(retry)).body).toContain('Connected');
  expect(await search(successor)).toMatchObject({ isError: false });
});

test('a code that was being redeemed in a crash is not presented by the successor of the successor either', async () => {
  const { upstream, home, bridge, url } = await openedTab();
  const callback = await approveUnfollowed(url);
  const gate = upstream.faults.hold('token', { when: codeExchange });
  const tab = follow(callback).catch(() => undefined);
  await gate.arrived;
  const successor = await takenOver(upstream, home, bridge);
  await tab;
  gate.release();
  const last = await takenOver(upstream, home, successor);
  expect((await follow(callback)).body).toContain('This sign-in is finished');
  expect(upstream.count(codeExchange)).toBe(1);
  expect((await approve((await pendingSignIn(home)).prepared?.url ?? '')).body).toContain('Connected');
  expect(await search(last)).toMatchObject({ isError: false });
});

/** Kills the process that has the sign-in, and spawns one that takes it over. */
async function takenOver(upstream: Upstream, home: Home, bridge: SpawnedBridge): Promise<SpawnedBridge> {
  process.kill(bridge.pid, 'SIGKILL');
  const successor = await spawnBridge({ home, url: upstream.url });
  await waitForRecord(home, ({ pendingSignIn: now }) => now?.owner.pid === successor.pid);
  return successor;
}

test('an error of the authorization server other than a denial leaves the sign-in pending', async () => {
  const { home, call } = await openedTab();
  const { prepared } = await pendingSignIn(home);
  const query = new URLSearchParams({ error: 'server_error', state: prepared?.attempts[0]?.state ?? '' });
  const page = await follow(`${prepared?.redirectUri}?${query}`);
  expect(page.body).toContain('The authorization server answered server_error');
  expect((await approve(retryLinkIn(page.body))).body).toContain('Connected');
  expect(await call).toMatchObject({ isError: false });
});

test('a redirect of another issuer is refused where the server promises iss, and its code stays unused', async () => {
  const { upstream, call, url } = await openedTab({ issParameter: true });
  const callback = new URL(await approveUnfollowed(url));
  expect(callback.searchParams.get('iss')).toBe(upstream.origin);
  for (const forge of [
    (forged: URL) => forged.searchParams.set('iss', 'https://attacker.example'),
    (forged: URL) => forged.searchParams.delete('iss'),
  ]) {
    const forged = new URL(callback);
    forge(forged);
    expect((await follow(forged.href)).body).toContain('The sign-in did not work');
  }
  expect(upstream.count(codeExchange)).toBe(0);
  expect((await follow(callback.href)).body).toContain('Connected');
  expect(await call).toMatchObject({ isError: false });
});

test('the result page loads nothing, is not kept, and passes nothing on', async () => {
  const { url } = await openedTab();
  const page = await approve(url);
  const { headers } = await fetch(page.location);
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(page.body).not.toMatch(/<script|src=|url\(/);
});

test('of two approvals the later one is kept, although the tokens of the earlier one come last', async () => {
  const { upstream, home, bridge, call, url } = await openedTab();
  const gate = upstream.faults.hold('token', { when: codeExchange, handled: true });
  const first = follow(await approveUnfollowed(url));
  await gate.arrived;
  expect((await approve(url)).body).toContain('Connected');
  const newer = (await home.record())?.grant?.tokens;
  gate.release();
  expect((await first).body).toContain('Connected');
  expect((await home.record())?.grant?.tokens).toEqual(newer);
  expect([await call, await search(bridge)]).toMatchObject([{ isError: false }, { isError: false }]);
  expect(await home.record()).toMatchObject({ generation: 1 });
});

test('after a no, the tab still takes a yes for two minutes, although a call has asked for a link since', async () => {
  const { upstream, home, bridge, call, url } = await openedTab();
  await deny(url);
  expect((await call).text).toMatch(/^AUTHORIZATION_DENIED/);
  expect((await search(bridge)).text).toMatch(/^REAUTH_REQUIRED/);
  expect((await approve(url)).body).toContain('Connected');
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(await home.record()).not.toHaveProperty('pendingSignIn');
  expect([home.browser.tabs.length, upstream.count({ endpoint: 'register' })]).toEqual([1, 2]);
});

test('an approval whose answer comes home after that of a newer sign-in gives way to it, and its grant is given back', async () => {
  const { upstream, home, call, url } = await openedTab();
  const gate = upstream.faults.hold('token', { when: codeExchange, handled: true });
  const page = approve(url);
  await gate.arrived;
  // As when the process stood still for so long that everybody had given its sign-in up.
  await changeRecord(home, (record) => {
    delete record.pendingSignIn;
  });
  home.browser.person = 'approves';
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  const newer = (await home.record())?.grant?.registration.client_id;
  gate.release();
  await page;
  await upstream.waitFor({ endpoint: 'revoke' });
  await call;
  expect((await upstream.grants()).map(({ clientId }) => clientId)).toEqual([newer]);
  expect((await home.record())?.grant?.registration.client_id).toBe(newer);
});

test('of two sign-ins whose answers are both under way the one approved later stays, whichever is stored first', async () => {
  const { upstream, home, call, url } = await openedTab();
  const olderGate = upstream.faults.hold('token', { when: codeExchange, handled: true });
  const page = approve(url);
  await olderGate.arrived;
  // As when the process stood still for so long that everybody had given its sign-in up.
  await changeRecord(home, (record) => {
    delete record.pendingSignIn;
  });
  home.browser.person = 'approves';
  const newerGate = upstream.faults.hold('token', { when: codeExchange, handled: true });
  const login = runCommand(home, ['login', '--url', upstream.url]).ended;
  const newer = (await newerGate.arrived).clientId;
  olderGate.release();
  expect((await page).body).toContain('Connected');
  expect((await home.record())?.grant?.registration.client_id).not.toBe(newer);
  newerGate.release();
  expect(await login).toMatchObject({ code: 0 });
  await upstream.waitFor({ endpoint: 'revoke' });
  await call;
  expect((await upstream.grants()).map(({ clientId }) => clientId)).toEqual([newer]);
  expect((await home.record())?.grant?.registration.client_id).toBe(newer);
});
