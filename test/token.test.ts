import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refresh } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { changeRecord, expireTokens, storeFolder } from './support/stored-record.ts';
import { knock, upstreamInTest } from './support/upstream/in-test.ts';

/** What a server answers to a token that it takes, asked for nothing in particular. */
const taken = 400;

/** Signed in at a server that ends the older access token with each refresh. */
async function signedIn() {
  const upstream = await upstreamInTest({ mode: 'strict' });
  const home = await homeInTest();
  const run = (...args: string[]) => runCommand(home, [...args, '--url', upstream.url]).ended;
  expect(await run('login')).toMatchObject({ code: 0 });
  return {
    upstream,
    home,
    run,
    stored: async () => (await home.record())?.grant?.tokens.access_token ?? expect.fail(),
  };
}

async function logsOf(home: Home): Promise<string> {
  const folder = join(storeFolder(home), 'logs');
  return (await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')))).join('');
}

test('token prints the access token, as a header line with --header, and for a program with --json', async () => {
  const { upstream, home, run, stored } = await signedIn();
  const accessToken = await stored();
  const header = `Authorization: Bearer ${accessToken}`;
  expect(await run('token')).toMatchObject({ code: 0, stdout: `${accessToken}\n`, stderr: '' });
  expect(await run('token', '--header')).toMatchObject({ code: 0, stdout: `${header}\n`, stderr: '' });
  const json = await run('token', '--json');
  expect(JSON.parse(json.stdout)).toEqual({ accessToken, header, accessTokenExpires: expect.stringMatching(/Z$/) });
  expect(await knock(upstream, accessToken)).toBe(taken);
  expect(upstream.count(refresh)).toBe(0);
  expect(await logsOf(home)).not.toContain(accessToken);
});

test.each([
  ['has ended', expireTokens],
  [
    'is about to end',
    (home: Home) =>
      changeRecord(home, ({ grant }) => {
        if (!grant) return;
        grant.tokens.issuedAt -= 3_420_000;
        grant.tokens.expiresAt = Date.now() + 180_000;
      }),
  ],
])('a token that %s is refreshed first, once, and what is printed is what the server takes', async (_what, make) => {
  const { upstream, home, run, stored } = await signedIn();
  const before = await stored();
  await make(home);
  const { code, stdout, stderr } = await run('token', '--log-level', 'debug');
  expect(code).toBe(0);
  expect(upstream.count(refresh)).toBe(1);
  expect(stdout).toBe(`${await stored()}\n`);
  expect(await knock(upstream, stdout.trim())).toBe(taken);
  expect(await knock(upstream, before)).toBe(401);
  expect(stderr + (await logsOf(home))).not.toContain(stdout.trim());
});

test('without a grant, or with one that has ended, token prints nothing but the reason', async () => {
  const { upstream, home, run } = await signedIn();
  await expireTokens(home);
  await upstream.revokeGrants();
  const ended = await run('token', '--header');
  expect(ended).toMatchObject({ code: 1, stdout: '' });
  expect(ended.stderr).toMatch(
    /the grant has ended \(invalid_grant\) \(REAUTH_REQUIRED\)\n {2}next: run `npx .* login/,
  );

  await run('logout');
  const signedOut = await run('token');
  expect(signedOut).toMatchObject({ code: 1, stdout: '' });
  expect(signedOut.stderr).toContain('nobody is signed in (REAUTH_REQUIRED)');
  expect(JSON.parse((await run('token', '--json')).stdout)).toMatchObject({ error: { code: 'REAUTH_REQUIRED' } });
  expect(home.browser.tabs).toHaveLength(1);
});
