import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { changeRecord, recordPath, storeFolder } from './support/stored-record.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

/** Code, one sentence and one hint, on stderr; stdout stays empty. */
async function failure(home: Home, args: string[], env = {}) {
  const { code, stdout, stderr } = await runCommand(home, args, env).ended;
  expect(stdout).toBe('');
  const [, message, errorCode, hint] =
    /^notion-mcp-bridge: (.+) \(([A-Z_]+)\)\n {2}next: (.+)\n$/m.exec(stderr) ?? expect.fail(stderr);
  expect(message).toMatch(/^([^A-Z]|NOTION_MCP_BRIDGE_).*[^.]$/);
  return { code, errorCode, message, hint };
}

describe('what the command line gets wrong is exit code 2, in one sentence with one hint', () => {
  test.each([
    { args: ['--nonsense'], message: /^unknown option '--nonsense'$/ },
    { args: ['dance'], message: /^unknown command 'dance'$/ },
    { args: ['login', 'twice'], message: /^unexpected argument 'twice'$/ },
    { args: ['--url', 'notion'], message: /^--url is not a URL: notion$/ },
    { args: ['--url', 'http://mcp.notion.com/mcp'], message: /^--url must be https/ },
    { args: ['--url', 'https://ada:secret@mcp.notion.com/mcp'], message: /^--url must be https[^@]*$/ },
    { args: ['--profile', '../work'], message: /^--profile may hold a to z/ },
    { args: ['--callback-port', '70000'], message: /^--callback-port is not a port: 70000$/ },
    { args: ['--client-id', ''], message: /^--client-id has no value$/ },
    { args: ['--config-dir='], message: /^--config-dir has no value$/ },
    { args: ['--log-level', 'loud'], message: /^--log-level is none of error, warn, info, debug: loud$/ },
    { args: ['--client-secret-file', '/nowhere'], message: /^--client-secret-file needs --client-id$/ },
    {
      args: ['--client-id', 'me', '--client-secret-file', '/nowhere'],
      message: /^could not read --client-secret-file \/nowhere \(ENOENT/,
    },
  ])('$args', async ({ args, message }) => {
    expect(await failure(await homeInTest(), args)).toEqual({
      code: 2,
      errorCode: 'CONFIG_INVALID',
      message: expect.stringMatching(message),
      hint: 'run `npx -y notion-mcp-bridge --help`',
    });
  });

  test('a switch in the environment', async () => {
    const env = { NOTION_MCP_BRIDGE_NO_BROWSER: 'maybe' };
    expect(await failure(await homeInTest(), ['status'], env)).toMatchObject({
      code: 2,
      message: 'NOTION_MCP_BRIDGE_NO_BROWSER is neither true nor false',
    });
  });
});

test('--help names every command and option, and --version the version', async () => {
  const home = await homeInTest();
  const help = await runCommand(home, ['--help']).ended;
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const word of ['login', 'logout', 'status', '--url', '--profile', '--callback-port', '--no-browser', '--reauth'])
    expect(help.stdout).toContain(word);
  expect(await runCommand(home, ['--version']).ended).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
  expect(await readdir(home.path)).not.toContain('.notion-mcp-bridge');
});

/** A home with a sign-in in it. */
async function signedIn() {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const run = (...args: string[]) => runCommand(home, [...args, '--url', upstream.url]).ended;
  expect(await run('login')).toMatchObject({ code: 0 });
  return { upstream, home, run, path: await recordPath(home) };
}

test('a store that cannot be read is told with its path', async () => {
  const home = await homeInTest();
  const folder = join(home.path, 'a-file');
  await writeFile(folder, 'not a folder');
  const told = await failure(home, ['status', '--config-dir', folder]);
  expect(told).toMatchObject({ code: 1, errorCode: 'CREDENTIALS_UNREADABLE' });
  expect(told.message).toContain(folder);
});

test('a record of a newer version is left as it is, and the hint is to update', async () => {
  const { upstream, home, path } = await signedIn();
  await changeRecord(home, (record) => Object.assign(record, { schema: 99 }));
  const before = await readFile(path, 'utf8');
  for (const command of ['status', 'login', 'logout']) {
    const told = await failure(home, [command, '--url', upstream.url]);
    expect(told).toMatchObject({ code: 1, errorCode: 'CREDENTIALS_UNREADABLE' });
    expect(told.hint).toContain('@latest');
  }
  expect(await readFile(path, 'utf8')).toBe(before);
  expect(home.browser.tabs).toHaveLength(1);
});

test('a damaged record is moved aside whole, told with its path, and counts as signed out', async () => {
  const { home, run, path } = await signedIn();
  const torn = (await readFile(path, 'utf8')).slice(0, 300);
  await writeFile(path, torn);
  const { code, stdout, stderr } = await run('status');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^state +signed out$/m);
  const [aside = 'nothing'] = (await readdir(storeFolder(home))).filter((name) => name.includes('.corrupt-'));
  expect(stderr).toContain(aside);
  expect(await readFile(join(storeFolder(home), aside), 'utf8')).toBe(torn);
});

test('login at a callback port that another program has is exit code 2, and nothing is lost', async () => {
  const { upstream, home, path } = await signedIn();
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void stranger.close());
  const port = String((stranger.address() as AddressInfo).port);
  const before = JSON.parse(await readFile(path, 'utf8'));
  const told = await failure(home, ['login', '--force', '--callback-port', port, '--url', upstream.url]);
  expect(told).toMatchObject({
    code: 2,
    errorCode: 'CONFIG_INVALID',
    message: `callback port ${port} is taken by another program`,
  });
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(before);
});

test('login that cannot be begun says why, leaves nothing behind, and works the next time', async () => {
  const { upstream, home, run } = await signedIn();
  await run('logout');
  upstream.faults.next('metadata', { kind: 'status', status: 503 });
  const told = await failure(home, ['login', '--url', upstream.url]);
  expect(told).toMatchObject({ code: 1, errorCode: 'AUTHORIZATION_SERVER_MISBEHAVED' });
  expect(await home.record()).not.toHaveProperty('pendingSignIn');
  expect(await run('login')).toMatchObject({ code: 0 });
});

test('a record that belongs to another upstream is not used', async () => {
  const { upstream, home } = await signedIn();
  await changeRecord(home, (record) => {
    if (record.grant) record.grant.resource = 'https://elsewhere.example/mcp';
  });
  const told = await failure(home, ['status', '--url', upstream.url]);
  expect(told).toMatchObject({ code: 2, errorCode: 'CONFIG_INVALID' });
});

test('an interrupt ends logout although the server is slow to revoke, and the sign-in stays', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  const gate = upstream.faults.hold('revoke');
  const logout = runCommand(home, ['logout', '--url', upstream.url]);
  await gate.arrived;
  logout.kill('SIGINT');
  const { code, stderr } = await logout.ended;
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('AUTHORIZATION_TIMED_OUT') });
  expect(await home.record()).toMatchObject({ state: 'connected' });
  gate.release();
});
