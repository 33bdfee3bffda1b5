import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { openConnection } from '../src/bridge.ts';
import { plainInk } from '../src/commands/ink.ts';
import { login } from '../src/commands/login.ts';
import { readConfig } from '../src/config.ts';
import { clockInTest } from './support/clock.ts';
import { linkIn, openedTab } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { collectedLog, folderInTest } from './support/store-in-test.ts';
import { pendingSignIn } from './support/stored-record.ts';
import { hasTerminals, onTerminal } from './support/terminal.ts';
import { approve, approveUnfollowed } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const esc = '\u001b';
const osc8 = `${esc}]8;;`;

describe.skipIf(!hasTerminals())('on a terminal', () => {
  test('login shows a link to click and how long it waits for the browser, and leaves nothing of that behind', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest('ignores');
    const running = onTerminal(home, ['login', '--url', upstream.url]);
    const { url } = await home.browser.tab(1);
    await running.shows(/. waiting for you \(0:0[1-9]\)/);
    await approve(url);
    const { code, screen } = await running.ended;
    expect(code).toBe(0);
    expect(screen).toContain(`${osc8}${url}${esc}\\${url}${osc8}${esc}\\`);
    expect(
      screen.endsWith(`\r${esc}[K${esc}[32msigned in${esc}[39m to Ada’s workspace; connected to Notion (embedded)\r\n`),
    ).toBe(true);
  });

  test('login --no-browser gives the ssh command that leads back here, stands still, and takes a pasted address', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest();
    const env = { SSH_CONNECTION: '192.0.2.7 50022 192.0.2.1 2222', USER: 'grace', NO_COLOR: '1' };
    const running = onTerminal(home, ['login', '--no-browser', '--url', upstream.url], env);
    const url = linkIn(await running.shows(/http\S+authorize\S+/));
    await running.shows(/waiting for you\.\.\./);
    const port = (await pendingSignIn(home)).prepared?.port;
    running.type(`${await approveUnfollowed(url)}\n`);
    const { code, screen } = await running.ended;
    expect(code).toBe(0);
    expect(screen).toMatch(
      new RegExp(`^ {2}ssh -L ${port}:127\\.0\\.0\\.1:${port} -p 2222 grace@192\\.0\\.2\\.1\\r$`, 'm'),
    );
    expect(screen).toContain('signed in to Ada’s workspace');
    expect(screen).not.toContain(esc);
    expect(home.browser.tabs).toEqual([]);
  });

  test('status has colours, unless NO_COLOR or a dumb terminal wants none', async () => {
    const home = await homeInTest();
    const screenWith = async (env: Record<string, string>) => (await onTerminal(home, ['status'], env).ended).screen;
    expect(await screenWith({})).toContain(`${esc}[33msigned out${esc}[39m`);
    expect(await screenWith({ NO_COLOR: '' })).toContain(esc);
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
      const screen = await screenWith(env);
      expect(screen).toMatch(/^state +signed out\r$/m);
      expect(screen).not.toContain(esc);
    }
  });

  test('token prints there, too, and the bare name explains itself', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest();
    await runCommand(home, ['login', '--url', upstream.url]).ended;
    const { access_token } = (await home.record())?.grant?.tokens ?? expect.fail();
    const { code, screen } = await onTerminal(home, ['token', '--url', upstream.url]).ended;
    expect({ code, screen }).toEqual({ code: 0, screen: `${access_token}\r\n` });
    const bare = await onTerminal(home, []).ended;
    expect(bare).toMatchObject({ code: 0, screen: expect.stringContaining('"mcpServers"') });
  });
});

describe('where nobody can answer, login says so instead of waiting', () => {
  const nobody = /a sign-in needs a person: .* \(REAUTH_REQUIRED\)\n {2}next: run `npx -y notion-mcp-bridge login /;
  const noBrowser = { BROWSER: '' };

  test('on a build service', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest();
    const running = runCommand(home, ['login', '--url', upstream.url], { ...noBrowser, CI: 'true' });
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(1);
    expect(stdout).toContain('open this link');
    expect(stderr).toMatch(nobody);
  });

  test('when the input ends and brought nothing of use', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest();
    const running = runCommand(home, ['login', '--url', upstream.url], { ...noBrowser, CI: 'false' });
    await running.shows(/waiting for you/);
    running.write('https://example.com/?code=1\n');
    running.endInput();
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(1);
    expect(stdout).toContain('that is not the address of this sign-in');
    expect(stdout).not.toContain(esc);
    expect(stderr).toMatch(nobody);
  });

  test('when a pipe brings nothing for five minutes', async () => {
    const upstream = await upstreamInTest();
    const clock = clockInTest();
    const config = readConfig(['login', '--url', upstream.url, '--config-dir', await folderInTest()], {});
    const outside = { clock, log: collectedLog().log, random: Math.random, proxyFor: () => '', openBrowser: undefined };
    const surroundings = { ...outside, config, version: '0' };
    const ended = login({
      ...surroundings,
      stdio: { input: new PassThrough(), output: new PassThrough() },
      machine: { node: process.version, platform: process.platform, arch: process.arch, home: '/', environment: {} },
      isTerminal: { input: false, output: false },
      ink: plainInk,
      stop: new AbortController().signal,
      print: () => undefined,
      tell: () => undefined,
      openConnection: () => openConnection(surroundings),
    }).catch((error: unknown) => error);
    await clock.untilSleeps((ms) => ms === 300_000);
    clock.advance(300_000);
    expect(await ended).toMatchObject({ code: 'REAUTH_REQUIRED', message: expect.stringMatching(/needs a person/) });
    // Nobody sleeps any longer for what is over.
    clock.advance(3_600_000);
  });

  test('when the address that it brought is not accepted', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest();
    upstream.faults.next('token', { kind: 'status', status: 400, body: { error: 'invalid_grant' } });
    const running = runCommand(home, ['login', '--url', upstream.url], noBrowser);
    const url = linkIn(await running.shows(/http\S+authorize\S+/));
    await running.shows(/waiting for you/);
    running.write(`${await approveUnfollowed(url)}\n`);
    running.endInput();
    expect(await running.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(nobody) });
  });

  test('but an address on a pipe that then ends is an answer, whichever process it is for', async () => {
    const { upstream, home, url, call } = await openedTab();
    const running = runCommand(home, ['login', '--no-browser', '--url', upstream.url]);
    expect(linkIn(await running.shows(/http\S+authorize\S+/))).toBe(url);
    await running.shows(/waiting for you/);
    running.write(`${await approveUnfollowed(url)}\n`);
    running.endInput();
    expect(await running.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('signed in to Ada’s') });
    expect(await call).toMatchObject({ isError: false });
  });

  test('but a tab that opened is waited for, on a build service, too', async () => {
    const upstream = await upstreamInTest();
    const home = await homeInTest('ignores');
    const running = runCommand(home, ['login', '--url', upstream.url], { CI: 'true' });
    running.endInput();
    await approve((await home.browser.tab(1)).url);
    expect(await running.ended).toMatchObject({ code: 0 });
  });
});
