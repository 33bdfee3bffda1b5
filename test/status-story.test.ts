import { mkdir, readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { statusText } from '../src/commands/status-text.ts';
import { systemProcesses } from '../src/credentials/owner.ts';
import { type ConnectionRecord, fingerprint } from '../src/credentials/record.ts';
import { mountReadOnly } from './support/mount-in-test.ts';
import { refresh, search } from './support/opened-tab.ts';
import { startProcess } from './support/other-process.ts';
import { type Connected, connectedRecord, hour, livingOwner, refreshMark, upstreamUrl } from './support/records.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import type { StoreVerbs } from './support/store-process.ts';
import { expireTokens, storeFolder } from './support/stored-record.ts';
import { runQuietly, storeRecord, toldStatus } from './support/told-status.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

/** Signed in three hours ago, refreshed half an hour ago. */
function recentRecord(change: (record: Connected, now: number) => Partial<ConnectionRecord> = () => ({})) {
  const now = Date.now();
  const refreshedAt = now - hour / 2;
  const record = connectedRecord(
    {
      authorizedAt: now - 3 * hour,
      refreshedAt,
      identity: { workspace_name: 'Ada’s workspace' },
      previous: 'refresh-0',
    },
    { issuedAt: refreshedAt, expiresAt: refreshedAt + hour },
  );
  return { ...record, ...change(record, now) };
}

async function told(record: ConnectionRecord) {
  const home = await homeInTest();
  const location = await storeRecord(home, record);
  const { code, stdout } = await runQuietly(home, ['status', '--url', upstreamUrl]);
  const lines = Object.fromEntries(stdout.split('\n').map((line) => line.split(/ {2,}(.*)/)));
  return { home, location, code, lines, facts: await toldStatus(home, upstreamUrl) };
}

const iso = (ms: number | undefined) => new Date(ms ?? Number.NaN).toISOString();

test('the JSON of a connection that rests, whole', async () => {
  // what the server said of an earlier refresh token says nothing of this one
  const rejections = [{ fingerprint: fingerprint('refresh-0'), oauthError: 'invalid_grant', at: 1 }];
  const record = recentRecord(({ grant }) => ({ grant: { ...grant, rejections } }));
  const { authorizedAt, refreshedAt, tokens } = record.grant as Connected['grant'];
  const { facts, location } = await told(record);
  expect(facts).toEqual({
    code: 0,
    state: 'connected',
    profile: 'default',
    upstream: upstreamUrl,
    workspace: 'Ada’s workspace',
    issuer: 'https://as.example',
    clientId: 'client-1',
    signedIn: iso(authorizedAt),
    grantAgeSeconds: expect.closeTo(3 * 3_600, -3),
    refreshed: iso(refreshedAt),
    accessTokenExpires: iso(tokens.expiresAt),
    // a tenth of its lifetime before the access token ends, and a day after the last refresh (product.md 6.1, 6.3)
    nextRefresh: { whenUsed: iso(tokens.expiresAt - hour / 10), whenIdle: iso(refreshedAt + 24 * hour) },
    counted: { refreshes: 0, signIns: 0, tabsOpened: 0, failures: {} },
    lock: null,
    processes: [],
    record: location.record,
  });
});

test('the JSON of a grant that has ended while much else goes on', async () => {
  const since = Date.now() - 4_000;
  const rejections = [{ fingerprint: fingerprint('refresh-1'), oauthError: 'invalid_grant', at: since }];
  const pendingSignIn = { id: 'one', owner: livingOwner, since, need: 'dead client-1' };
  const { facts } = await told(
    recentRecord(({ grant }) => ({
      state: 'needs_reconnect',
      reason: 'invalid_grant',
      grant: { ...grant, rejections },
      refreshUnderWay: refreshMark({ since }),
      pendingSignIn,
      history: [{ client_id: 'client-0', authorizedAt: 0, endedAt: 30 * 24 * hour, why: 'invalid_grant' }],
    })),
  );
  const elsewhere = { pid: 1, elsewhere: true };
  expect(facts).toMatchObject({
    code: 1,
    state: 'needs_reconnect',
    reason: 'invalid_grant',
    ended: iso(since),
    grantExpectedToEnd: expect.stringMatching(/Z$/),
    refreshTokenRejected: { code: 'invalid_grant', at: iso(since) },
    refreshUnderWay: { since: iso(since), outcome: 'awaited', ...elsewhere },
    signIn: { since: iso(since), ...elsewhere },
    next: `run \`npx -y notion-mcp-bridge login --url ${upstreamUrl}\``,
  });
  expect(facts).not.toHaveProperty('nextRefresh');
});

test('a person reads when the next refresh comes, or why none does', async () => {
  const rested = await told(recentRecord());
  expect(rested.lines).toMatchObject({
    state: 'connected',
    'signed in': expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d UTC \(3 hours ago\)$/),
    'last refresh': expect.stringMatching(/UTC \(30 minutes ago\)$/),
    'next refresh': 'when next used, at the earliest in 23 minutes',
    lock: 'nobody holds it',
    running: 'no process',
  });
  const server = { kind: 'server', pid: 1, since: rested.facts.refreshed };
  const served = statusText({ ...rested.facts, processes: [server] }, Date.now());
  expect(served).toMatch(/^next refresh +in 23 minutes if used, else in 23 hours$/m);
  expect(Object.keys(rested.lines)).toEqual(expect.not.arrayContaining(['since', 'refreshing', 'sign-in', 'failures']));

  const due = await told(connectedRecord());
  expect(due.lines).toMatchObject({ 'next refresh': 'when next used' });

  const rejection = { fingerprint: fingerprint('refresh-1'), oauthError: 'invalid_grant', at: Date.now() - 120_000 };
  const rejected = await told(recentRecord(({ grant }) => ({ grant: { ...grant, rejections: [rejection] } })));
  expect(rejected.lines).toMatchObject({
    state: 'connected',
    'next refresh': 'none: the server rejected the refresh token 2 minutes ago (invalid_grant)',
    'next step': expect.stringMatching(/^run `npx -y notion-mcp-bridge login --force --url /),
  });

  const bare = await told(
    recentRecord(({ grant: { previous: _previous, ...grant } }) => {
      const { refresh_token: _token, ...tokens } = grant.tokens;
      return { grant: { ...grant, tokens } };
    }),
  );
  expect(bare.lines).toMatchObject({ 'next refresh': 'none: the server issued no refresh token' });
});

test('states without a connection say since when, and what to do', async () => {
  const endedAt = Date.now() - 2 * hour;
  const given = await told({
    ...recentRecord(() => ({
      state: 'signed_out',
      history: [{ client_id: 'c', authorizedAt: 1, endedAt, why: 'logout' }],
    })),
    grant: undefined as never,
  });
  expect(given).toMatchObject({ code: 1, facts: { state: 'signed_out', ended: iso(endedAt) } });
  expect(given.lines).toMatchObject({ state: 'signed out', since: expect.stringMatching(/2 hours ago/) });

  const upstream = await upstreamInTest();
  const home = await homeInTest('denies');
  await runCommand(home, ['login', '--url', upstream.url]).ended;
  expect(await toldStatus(home, upstream.url)).toMatchObject({
    code: 1,
    state: 'declined',
    next: expect.stringContaining('login'),
    counted: { signIns: 0, tabsOpened: 1 },
  });
});

test('a refresh under way names who sent it, and one whose sender is gone has an unknown outcome', async () => {
  const since = Date.now() - 4_000;
  const other = await startProcess<StoreVerbs>('store-process', '/nowhere', upstreamUrl);
  const owner = { ...systemProcesses.newOwner(), pid: other.pid };
  const record = recentRecord(() => ({ refreshUnderWay: { fingerprint: 'f', owner, since } }));
  const awaited = await told(record);
  expect(awaited.facts.refreshUnderWay).toEqual({ since: iso(since), outcome: 'awaited', pid: other.pid });
  expect(awaited.lines.refreshing).toMatch(new RegExp(`^under way; sent by pid ${other.pid} \\d+ seconds ago$`));
  await other.kill();
  const unknown = await told(record);
  expect(unknown.facts.refreshUnderWay.outcome).toBe('unknown');
  expect(unknown.lines).toMatchObject({
    refreshing: expect.stringMatching(/^the outcome is unknown; /),
    'next refresh': expect.stringMatching(/^when the access token ends, .*\(in 29 minutes\)$/),
  });
});

test('a lock that another process holds is told with its pid, and neither waited for nor touched', async () => {
  const { home, location } = await told(recentRecord());
  const other = await startProcess<StoreVerbs>('store-process', storeFolder(home), upstreamUrl);
  await other.ask('hold');
  const before = await readdir(location.lock);
  expect(await toldStatus(home, upstreamUrl)).toMatchObject({ code: 0, lock: { pid: other.pid } });
  const { stdout } = await runQuietly(home, ['status', '--url', upstreamUrl]);
  expect(stdout).toMatch(new RegExp(`^lock +held by pid ${other.pid}$`, 'm'));
  expect(await readdir(location.lock)).toEqual(before);
  await other.kill();
  expect(await toldStatus(home, upstreamUrl)).toMatchObject({ lock: null });
});

test('the processes that run are told with their clients; one that was killed is not', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const asClient = (name: string) => spawnBridge({ home, url: upstream.url, clientInfo: { name, version: '1.0.0' } });
  const one = await asClient('claude-ai');
  const other = await asClient('Visual Studio Code');
  const login = runCommand(home, ['login', '--url', upstream.url]);
  const processes = async () => (await toldStatus(home, upstream.url)).processes;
  await expect.poll(processes, { timeout: 20_000 }).toHaveLength(3);
  expect(await processes()).toEqual([
    { kind: 'server', client: 'claude-ai', pid: one.pid, since: expect.stringMatching(/Z$/) },
    { kind: 'server', client: 'Visual Studio Code', pid: other.pid, since: expect.stringMatching(/Z$/) },
    { kind: 'login', pid: login.pid, since: expect.stringMatching(/Z$/) },
  ]);
  const { stdout } = await runQuietly(home, ['status', '--url', upstream.url]);
  expect(stdout).toMatch(new RegExp(`^running +pid ${one.pid} +server of claude-ai +since .* seconds ago\\)$`, 'm'));
  expect(stdout).toMatch(new RegExp(`^ +pid ${login.pid} +login +since `, 'm'));

  const gone = new Promise<void>((resolve) => {
    one.client.onclose = resolve;
  });
  process.kill(one.pid, 'SIGKILL');
  await gone;
  expect(await processes()).toMatchObject([{ pid: other.pid }, { pid: login.pid }]);
  login.kill('SIGINT');
  await login.ended;
  await other.close();
  expect(await processes()).toEqual([]);
  // only what the killed one left; the next who stays sweeps it
  expect((await home.files()).filter((name) => name.includes('.running-'))).toHaveLength(1);
  const next = await asClient('next');
  await expect.poll(processes, { timeout: 20_000 }).toHaveLength(1);
  await next.close();
  expect((await home.files()).filter((name) => name.includes('.running-'))).toEqual([]);
});

test('sign-ins, tabs, refreshes and failures are counted over all processes', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  await expireTokens(home);
  upstream.faults.next('token', { kind: 'status', status: 429, body: { error: 'rate_limited' } }, { when: refresh });
  await search(bridge);
  await expireTokens(home);
  await search(bridge);
  const { counted } = await toldStatus(home, upstream.url);
  expect(counted).toEqual({
    since: expect.stringMatching(/Z$/),
    refreshes: 2,
    signIns: 1,
    tabsOpened: 1,
    failures: { rate_limited: 1 },
    lastFailure: { code: 'rate_limited', at: expect.stringMatching(/Z$/) },
  });
  const { stdout } = await runQuietly(home, ['status', '--url', upstream.url]);
  expect(stdout).toMatch(/^counted +2 refreshes, 1 sign-in, 1 tab opened, since /m);
  expect(stdout).toMatch(/^failures +1 × rate_limited; the last (just now|\d+ seconds? ago) \(rate_limited\)$/m);
});

test('what a server or a client calls itself cannot write to the terminal', async () => {
  const evil = 'Ada\u001b[2J\u0007\nstate  hacked';
  const { home } = await told(
    recentRecord(({ grant }) => ({ grant: { ...grant, identity: { workspace_name: evil } } })),
  );
  const { stdout } = await runQuietly(home, ['status', '--url', upstreamUrl]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(stdout).not.toMatch(/^state +hacked/m);
});

test('a folder that can only be read: status tells, and a bridge serves without telling of itself', async (context) => {
  const upstream = await upstreamInTest({ auth: false });
  const home = await homeInTest();
  await mkdir(storeFolder(home));
  if (!mountReadOnly(storeFolder(home))) context.skip('cannot mount here');
  const bridge = await spawnBridge({ home, url: upstream.url, args: ['--log-level', 'debug'] });
  expect(await search(bridge)).toMatchObject({ isError: false });
  await expect.poll(bridge.stderr, { timeout: 20_000 }).toMatch(/could not write a side file path=\S+\.running-/);
  expect(await toldStatus(home, upstream.url)).toMatchObject({ state: 'signed_out', processes: [] });
  expect(await search(bridge)).toMatchObject({ isError: false });
});
