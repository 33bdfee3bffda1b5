import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fillUp, remount } from './support/mount.ts';
import { mountSmall } from './support/mount-in-test.ts';
import { refresh, search } from './support/opened-tab.ts';
import { startProcess } from './support/other-process.ts';
import { hour } from './support/records.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import type { StoreVerbs } from './support/store-process.ts';
import { ageTokens, changeRecord, expireTokens, storeFolder } from './support/stored-record.ts';
import { runQuietly, toldStatus } from './support/told-status.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream, UpstreamOptions } from './support/upstream/upstream.ts';

/** A home with a sign-in in it, and its `refresh`. */
async function signedIn(options: UpstreamOptions = {}, home?: Home) {
  const upstream = await upstreamInTest(options);
  const here = home ?? (await homeInTest());
  expect(await runCommand(here, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  return { upstream, home: here, run: (...args: string[]) => runRefresh(here, upstream, ...args) };
}

const runRefresh = (home: Home, upstream: Upstream, ...args: string[]) =>
  runQuietly(home, ['refresh', '--url', upstream.url, ...args]);

/** An access token that outlives a day, and a last refresh of some time ago. */
function refreshedAgo(home: Home, ms: number) {
  return changeRecord(home, ({ grant }) => {
    if (!grant) return;
    grant.refreshedAt = Date.now() - ms;
    grant.tokens.issuedAt = grant.refreshedAt;
    grant.tokens.expiresAt = grant.refreshedAt + 30 * 24 * hour;
  });
}

function failure(code: string, message: RegExp, hint: RegExp) {
  const told = `^notion-mcp-bridge: ${message.source} \\(${code}\\)\n(  link: .+\n)?  next: ${hint.source}\n$`;
  return { code: 1, stdout: '', stderr: expect.stringMatching(new RegExp(told)) };
}

describe('refresh, for schedulers', () => {
  test('sends nothing while the grant is fresh, and says when it was refreshed', async () => {
    const { upstream, run } = await signedIn();
    expect(await run()).toEqual({
      code: 0,
      signal: null,
      stdout: expect.stringMatching(/^nothing to do: refreshed (just now|\d+ seconds? ago)\n$/),
      stderr: '',
    });
    const { stdout } = await run('--json');
    expect(JSON.parse(stdout)).toEqual({
      result: 'fresh',
      refreshed: expect.stringMatching(/Z$/),
      accessTokenExpires: expect.stringMatching(/Z$/),
    });
    expect(upstream.count(refresh)).toBe(0);
  });

  test('refreshes once when the access token has ended', async () => {
    const { upstream, home, run } = await signedIn();
    await expireTokens(home);
    expect(await run()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^refreshed; the access token serves until .+ UTC \(in (59|60) minutes\)\n$/),
      stderr: '',
    });
    expect(await run()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^nothing to do/) });
    expect(upstream.count(refresh)).toBe(1);
    expect(await home.record()).toMatchObject({ state: 'connected', generation: 2 });
    expect(home.browser.tabs).toHaveLength(1);
  });

  test('refreshes a grant of a long-lived token once a day, although the schedule wobbles', async () => {
    const { upstream, home, run } = await signedIn();
    await refreshedAgo(home, 19 * hour);
    expect(await run()).toMatchObject({ code: 0, stdout: 'nothing to do: refreshed 19 hours ago\n' });
    await refreshedAgo(home, 23 * hour);
    const { code, stdout } = await run('--json');
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, result: 'refreshed' });
    expect(upstream.count(refresh)).toBe(1);
  });

  test('--force refreshes although it is fresh', async () => {
    const { upstream, run } = await signedIn();
    expect(await run('--force')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^refreshed; /) });
    expect(await run('--force')).toMatchObject({ code: 0 });
    expect(upstream.count(refresh)).toBe(2);
  });

  test('--force is one request, although the clock was set back since the last refresh', async () => {
    const { upstream, home, run } = await signedIn();
    await changeRecord(home, ({ grant }) => {
      if (grant) grant.refreshedAt += 3_600_000;
    });
    expect(await run('--force')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^refreshed; /) });
    expect(upstream.count(refresh)).toBe(1);
  });

  test.each(['lenient', 'strict'] as const)(
    'six at once, beside bridges in use, are one request (%s)',
    async (mode) => {
      const { upstream, home, run } = await signedIn({ mode });
      const bridges = await Promise.all([1, 2].map(() => spawnBridge({ home, url: upstream.url })));
      await Promise.all(bridges.map(search));
      await expireTokens(home);
      const answers = bridges.map(search);
      const runs = await Promise.all(Array.from({ length: 6 }, () => run()));
      expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0]);
      for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ isError: false });
      expect(upstream.count(refresh)).toBe(1);
    },
  );

  test('without a refresh token there is nothing to do', async () => {
    const { upstream, home, run } = await signedIn();
    await changeRecord(home, ({ grant }) => {
      if (grant) delete grant.tokens.refresh_token;
    });
    await refreshedAgo(home, 48 * hour);
    expect(await run()).toMatchObject({
      code: 0,
      stdout: 'nothing to do: the server issued no refresh token\n',
      stderr: '',
    });
    expect(upstream.count(refresh)).toBe(0);
  });
});

describe('refresh without a connection is exit code 1, with the next step, and opens no tab', () => {
  test('when nobody is signed in, or is no longer', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest();
    const told = failure('REAUTH_REQUIRED', /nobody is signed in/, /run `npx -y notion-mcp-bridge login --url .+/);
    expect(await runRefresh(home, upstream)).toMatchObject(told);
    expect(upstream.requests).toEqual([]);
    expect(home.browser.tabs).toEqual([]);
  });

  test('after logout, and after a no', async () => {
    const { upstream, home, run } = await signedIn();
    await runCommand(home, ['logout', '--url', upstream.url]).ended;
    expect(await run()).toMatchObject(failure('REAUTH_REQUIRED', /nobody is signed in/, /run .+/));
    home.browser.person = 'denies';
    await runCommand(home, ['login', '--url', upstream.url]).ended;
    const told = /the sign-in was declined in the browser/;
    expect(await run('--force')).toMatchObject(failure('AUTHORIZATION_DENIED', told, /run .+/));
    expect(home.browser.tabs).toHaveLength(2);
  });

  test('when the grant was revoked', async () => {
    const { upstream, home, run } = await signedIn();
    await expireTokens(home);
    await upstream.revokeGrants();
    expect(await run()).toMatchObject(
      failure(
        'REAUTH_REQUIRED',
        /the grant has ended \(invalid_grant\)/,
        /run `npx -y notion-mcp-bridge login --url .+/,
      ),
    );
    expect(await home.record()).toMatchObject({ state: 'needs_reconnect', reason: 'invalid_grant' });
    const sent = upstream.count(refresh);
    const { code, stdout } = await run('--json');
    expect({ code, ...JSON.parse(stdout) }).toEqual({
      code: 1,
      error: {
        code: 'REAUTH_REQUIRED',
        message: 'the grant has ended (invalid_grant)',
        next: expect.stringContaining('login --url'),
      },
    });
    expect(upstream.count(refresh)).toBe(sent);
    expect(home.browser.tabs).toHaveLength(1);
  });

  test('when the grant was revoked while the access token still works', async () => {
    const { upstream, home, run } = await signedIn();
    await ageTokens(home);
    await upstream.revokeGrants();
    const told = failure(
      'REAUTH_REQUIRED',
      /the server rejected the refresh token \(invalid_grant\)/,
      /.+ login --force .+/,
    );
    expect(await run('--force')).toMatchObject(told);
    expect(await run('--force')).toMatchObject(told);
    expect(upstream.count(refresh)).toBe(1);
    expect(await home.record()).toMatchObject({ state: 'connected' });
  });
});

describe('refresh in trouble is exit code 1 and loses nothing', () => {
  test('while the server is away, and works the next time', async () => {
    const { upstream, home, run } = await signedIn();
    await expireTokens(home);
    const before = await home.record();
    await upstream.stop();
    const told = /could not reach the token endpoint \(.+\) at \S+/;
    expect(await run()).toMatchObject(failure('AUTHORIZATION_SERVER_UNREACHABLE', told, /check the network.+/));
    expect(await home.record()).toEqual(before);
    expect(await toldStatus(home, upstream.url)).toMatchObject({ counted: { lastFailure: { code: 'not-sent' } } });
    await upstream.start();
    expect(await run()).toMatchObject({ code: 0, stderr: '' });
    expect(upstream.count(refresh)).toBe(1);
  });

  test('of an unknown outcome: its token is not sent again before the access token has ended', async () => {
    const { upstream, home, run } = await signedIn();
    upstream.faults.next('token', { kind: 'lose-response' }, { when: refresh });
    expect(await run('--force')).toMatchObject(
      failure('AUTHORIZATION_SERVER_UNREACHABLE', /the token endpoint gave no usable answer .+/, /check the network.+/),
    );
    expect(await run('--force')).toMatchObject(
      failure(
        'AUTHORIZATION_SERVER_UNREACHABLE',
        /the outcome of the last refresh is unknown.+/,
        /run `.+ refresh --url \S+` again after .+Z/,
      ),
    );
    expect(await run()).toMatchObject({ code: 0 });
    expect(upstream.count(refresh)).toBe(1);
    await expireTokens(home);
    expect(await run()).toMatchObject({ code: 0, stdout: expect.stringMatching(/^refreshed/) });
    expect(upstream.count(refresh)).toBe(2);
  });

  test.for([
    { title: 'on a full disk', free: 0, hint: /free some disk space.+/ },
    { title: 'on a disk with room for a lock only', free: 16_384, hint: /free some disk space.+/ },
    { title: 'in a folder that can only be read', free: undefined, hint: /check the owner and the permissions.+/ },
  ])('$title: nothing is sent', async ({ free, hint }, context) => {
    const home = await homeInTest();
    const folder = storeFolder(home);
    await mkdir(folder, { mode: 0o700 });
    if (!mountSmall(folder, '256k')) context.skip('cannot mount here');
    const { upstream, run } = await signedIn({}, home);
    await expireTokens(home);
    await changeRecord(home, (record) => Object.assign(record, { padding: 'x'.repeat(40_000) }));
    const before = await home.record();
    const filler = join(folder, 'filler');
    if (free === undefined) remount(folder, 'ro');
    else await fillUp(filler, free);
    expect(await run('--force')).toMatchObject(failure('CREDENTIALS_UNREADABLE', /could not .+/, hint));
    expect(upstream.count(refresh)).toBe(0);
    expect(await home.record()).toEqual(before);
    remount(folder, 'rw');
    await writeFile(filler, '');
    expect(await run()).toMatchObject({ code: 0 });
  });
});

describe('refresh that is told to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('by %s stores the answer of a request that was sent', async (signal) => {
    const { upstream, home } = await signedIn();
    await expireTokens(home);
    const gate = upstream.faults.hold('token', { when: refresh, handled: true });
    const running = runCommand(home, ['refresh', '--url', upstream.url]);
    await gate.arrived;
    running.kill(signal);
    // it has nothing to say before the answer is there, so the signal has surely come once status answers
    await toldStatus(home, upstream.url);
    gate.release();
    expect(await running.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^refreshed/), stderr: '' });
    expect(await home.record()).toMatchObject({ state: 'connected', generation: 2 });
  });

  // well before its own patience ends
  test('while another process holds the record: it ends at once and sends nothing', { timeout: 20_000 }, async () => {
    const { upstream, home } = await signedIn();
    await expireTokens(home);
    const other = await startProcess<StoreVerbs>('store-process', storeFolder(home), upstream.url);
    await other.ask('hold');
    const running = runCommand(home, ['refresh', '--url', upstream.url]);
    const kinds = async () =>
      (await toldStatus(home, upstream.url)).processes.map(({ kind }: { kind: string }) => kind);
    await expect.poll(kinds, { timeout: 20_000 }).toEqual(['refresh']);
    running.kill('SIGTERM');
    const told = failure(
      'AUTHORIZATION_TIMED_OUT',
      /the refresh was interrupted; nothing was lost/,
      /run `npx -y notion-mcp-bridge refresh --url \S+` again/,
    );
    expect(await running.ended).toMatchObject(told);
    expect(upstream.count(refresh)).toBe(0);
    await other.ask('letGo');
  });
});
