import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fingerprint } from '../src/credentials/record.ts';
import { refresh } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { ageTokens, changeRecord, expireTokens, pendingSignIn, recordPath } from './support/stored-record.ts';
import { runDoctor, toldDoctor } from './support/told-doctor.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const checks = [
  ...['runtime', 'store', 'record', 'lock', 'clock', 'proxy', 'dns', 'connection', 'discovery'],
  ...['registration', 'sign-in', 'server', 'callback port', 'browser', 'clients', 'logs'],
];

async function signedIn(options = {}) {
  const upstream = await upstreamInTest(options);
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  return { upstream, home };
}

async function withClient(home: Home): Promise<void> {
  await mkdir(join(home.path, '.cursor'));
  const entry = { command: 'npx', args: ['-y', 'notion-mcp-bridge'] };
  await writeFile(join(home.path, '.cursor', 'mcp.json'), JSON.stringify({ mcpServers: { notion: entry } }));
}

test('where all is well every line is fine, and nothing is changed, sent or opened that a look does not need', async () => {
  const { upstream, home } = await signedIn();
  await withClient(home);
  const before = { record: await readFile(await recordPath(home), 'utf8'), files: (await home.files()).sort() };
  const { code, stdout, stderr } = await runDoctor(home, ['--url', upstream.url]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect([...stdout.matchAll(/^fine {9}(.{15})\S/gm)].map(([, name = '']) => name.trimEnd())).toEqual(checks);
  expect(stdout).toMatch(/^fine +sign-in +connected to Ada’s workspace since .*; access token until /m);
  expect(stdout).toMatch(/^fine +server +Notion \(embedded\) answered to initialize$/m);
  expect(stdout).toMatch(/^fine +clients +Cursor \(\S+\.cursor\/mcp\.json\)$/m);
  expect(stdout).toMatch(/\n\neverything is fine\n$/);
  expect({ record: await readFile(await recordPath(home), 'utf8'), files: (await home.files()).sort() }).toEqual(
    before,
  );
  expect(upstream.count(refresh)).toBe(0);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
  expect(home.browser.tabs).toHaveLength(1);

  const told = await toldDoctor(home, upstream.url);
  expect(told).toMatchObject({ code: 0, verdict: 'fine', names: checks });
});

test('a fresh home is told what is missing, and stays as it is', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const told = await toldDoctor(home, upstream.url);
  expect(told.verdict).toBe('failed');
  expect(told.all('failed')).toEqual(['sign-in']);
  expect(told.all('not checked')).toEqual(['server']);
  expect(told.all('warning')).toEqual(['clients']);
  expect(told.finding('sign-in')).toMatchObject({
    fault: 'the grant',
    what: 'nobody is signed in',
    fix: `run \`npx -y notion-mcp-bridge login --url ${upstream.url}\``,
  });
  expect(await readdir(home.path)).not.toContain('.notion-mcp-bridge');
  expect(upstream.count({ endpoint: 'register' })).toBe(0);
});

test('a server without authorization needs no sign-in', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const told = await toldDoctor(await homeInTest(), upstream.url);
  expect(told.code).toBe(0);
  expect(told.finding('discovery').what).toBe('the server asks for no sign-in');
  expect(told.finding('sign-in')).toMatchObject({ verdict: 'fine' });
  expect(told.finding('server')).toMatchObject({ verdict: 'fine' });
});

test('a grant that was revoked is found out by asking, and opens no tab', async () => {
  const { upstream, home } = await signedIn();
  await ageTokens(home);
  await upstream.revokeGrants();
  const told = await toldDoctor(home, upstream.url);
  expect(told.all('failed')).toEqual(['server']);
  expect(told.finding('server')).toMatchObject({
    fault: 'the grant',
    what: 'the server has ended the grant (invalid_grant)',
    fix: expect.stringMatching(/login --url/),
  });
  const again = await toldDoctor(home, upstream.url);
  expect(again.finding('sign-in').what).toMatch(/^the grant has ended .* \(invalid_grant\)$/);
  expect(again.finding('server').verdict).toBe('not checked');
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('it refreshes when the next request would, once', async () => {
  const { upstream, home } = await signedIn({ mode: 'strict' });
  await expireTokens(home);
  expect((await toldDoctor(home, upstream.url)).all('failed')).toEqual([]);
  expect(upstream.count(refresh)).toBe(1);
  expect((await toldDoctor(home, upstream.url)).all('failed')).toEqual([]);
  expect(upstream.count(refresh)).toBe(1);
});

test('a refresh that it has sent is waited for and stored, although the report is out', async () => {
  const { upstream, home } = await signedIn({ mode: 'strict' });
  await expireTokens(home);
  const gate = upstream.faults.hold('token', { when: refresh, handled: true });
  const doctor = runCommand(home, ['doctor', '--url', upstream.url]);
  expect(await doctor.shows(/^failed +server +.*$/m)).toMatch(/no result within 8 seconds \[the server\]$/);
  await doctor.shows(/^1 failed: /m);
  gate.release();
  expect(await doctor.ended).toMatchObject({ code: 1 });
  expect(await home.record()).toMatchObject({ state: 'connected', generation: 2 });
});

test('a sign-in that waits is told without its link', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest('ignores');
  const login = runCommand(home, ['login', '--url', upstream.url]);
  await home.browser.tab(1);
  await login.shows(/waiting for you/);
  const port = String((await pendingSignIn(home)).prepared?.port);
  const told = await toldDoctor(home, upstream.url, { args: ['--callback-port', port] });
  expect(told.finding('sign-in')).toMatchObject({ verdict: 'failed', what: expect.stringMatching(/waits for you/) });
  expect(told.finding('callback port')).toMatchObject({
    verdict: 'fine',
    what: expect.stringMatching(/waits for you$/),
  });
  login.kill('SIGINT');
  await login.ended;
});

test('what the record says of the grant is told: a rejection, a lost answer, an old registration', async () => {
  const { upstream, home } = await signedIn();
  const secrets = { client_secret: 'a-secret-of-the-client', registration_access_token: 'a-token-of-the-registration' };
  await changeRecord(home, ({ grant }) => {
    Object.assign(grant?.registration ?? {}, { ...secrets, client_secret_expires_at: 1_700_000_000 });
    if (grant) grant.previous = 'an-earlier-refresh-token';
  });
  const old = await toldDoctor(home, upstream.url);
  expect(old.finding('registration')).toMatchObject({ verdict: 'warning', fault: 'the grant' });
  expect(old.finding('registration').what).toMatch(/the server said it would end \d+ days ago$/);

  const owner = { nonce: 'gone', pid: 1, place: 'elsewhere' };
  await changeRecord(home, (record) => {
    record.refreshUnderWay = { fingerprint: 'f', owner, since: Date.now() - 60_000, outcome: 'unknown' };
  });
  const lost = await toldDoctor(home, upstream.url);
  expect(lost.finding('sign-in')).toMatchObject({ verdict: 'warning', what: expect.stringMatching(/is unknown$/) });

  await changeRecord(home, ({ grant }) => {
    const current = fingerprint(grant?.tokens.refresh_token ?? expect.fail());
    grant?.rejections.push({ fingerprint: current, oauthError: 'invalid_grant', at: Date.now() });
  });
  const rejected = await toldDoctor(home, upstream.url);
  expect(rejected.finding('sign-in')).toMatchObject({ verdict: 'warning', fault: 'the grant' });
  expect(rejected.finding('sign-in').fix).toContain('login --force');
});

test('what a server quotes of a token is taken out of the report, and so is the key in its URL', async () => {
  const { upstream, home } = await signedIn();
  const { access_token } = (await home.record())?.grant?.tokens ?? expect.fail();
  const body = `cannot use Bearer ${access_token} (${encodeURIComponent(access_token)})`;
  upstream.faults.next('mcp', { kind: 'status', status: 400, body }, { when: { rpc: 'initialize' }, times: 2 });
  const told = await toldDoctor(home, upstream.url);
  expect(told.finding('server')).toMatchObject({ verdict: 'failed', fault: 'the server' });
  expect(told.finding('server').what).toContain('cannot use Bearer [redacted] ([redacted])');
  const { stdout } = await runDoctor(home, ['--url', upstream.url]);
  expect(stdout).toContain('cannot use Bearer [redacted]');

  const keyed = await runDoctor(home, ['--url', `${upstream.url}?key=4711-0815`]);
  expect(keyed.stdout).toContain('login --url "');
  expect(keyed.stdout).not.toContain('4711-0815');
});
