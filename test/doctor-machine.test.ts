import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findClientConfigs } from '../src/commands/doctor/client-configs.ts';
import { makeReadOnly } from './support/mount.ts';
import { startProcess } from './support/other-process.ts';
import { connectedRecord } from './support/records.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { folderInTest } from './support/store-in-test.ts';
import type { StoreVerbs } from './support/store-process.ts';
import { changeRecord, recordPath, storeFolder } from './support/stored-record.ts';
import { toldDoctor } from './support/told-doctor.ts';
import { storeRecord } from './support/told-status.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

async function signedIn() {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  return { upstream, home, told: (args: string[] = [], env = {}) => toldDoctor(home, upstream.url, { args, env }) };
}

const machine = { fault: 'this machine' };

describe('the store', () => {
  test('a folder that can only be read, although all else works', async (context) => {
    const { home, told } = await signedIn();
    try {
      onTestFinished(makeReadOnly(storeFolder(home)));
    } catch {
      context.skip('cannot mount here');
    }
    const found = await told();
    expect(found.all('failed')).toEqual(['store']);
    expect(found.finding('store')).toMatchObject({
      ...machine,
      what: expect.stringMatching(/takes no writes \(EROFS\)$/),
    });
    expect(found.finding('logs')).toMatchObject({ ...machine, verdict: 'warning' });
    expect(found.finding('server').verdict).toBe('fine');
  });

  test('a file in the place of the folder', async () => {
    const home = await homeInTest();
    const folder = join(home.path, 'a-file');
    await writeFile(folder, 'not a folder');
    const upstream = await upstreamInTest();
    const found = await toldDoctor(home, upstream.url, { args: ['--config-dir', folder] });
    for (const name of ['store', 'record', 'lock'])
      expect(found.finding(name)).toMatchObject({ ...machine, verdict: 'failed' });
    expect(found.all('not checked')).toEqual(['registration', 'sign-in', 'server']);
  });

  test('a folder or a record that others can read', async () => {
    const { home, told } = await signedIn();
    const path = await recordPath(home);
    await chmod(path, 0o644);
    const file = (await told()).finding('store');
    expect(file).toMatchObject({ ...machine, verdict: 'warning', fix: `run \`chmod 600 "${path}"\`` });
    await chmod(storeFolder(home), 0o755);
    const folder = (await told()).finding('store');
    expect(folder).toMatchObject({ ...machine, verdict: 'warning', what: expect.stringContaining('(mode 755)') });
  });

  test.skipIf(process.getuid?.() !== 0)('a record that another user made', async () => {
    const { home, told } = await signedIn();
    await chown(await recordPath(home), 4711, 4711);
    const found = (await told()).finding('store');
    expect(found).toMatchObject({ ...machine, verdict: 'warning', what: expect.stringContaining('(id 4711)') });
  });

  test('a damaged record is told and left where it is', async () => {
    const { home, told } = await signedIn();
    const path = await recordPath(home);
    await writeFile(path, (await readFile(path, 'utf8')).slice(0, 300));
    const files = await readdir(storeFolder(home));
    const found = await told();
    expect(found.finding('record')).toMatchObject({
      ...machine,
      verdict: 'failed',
      fix: expect.stringMatching(/login/),
    });
    expect(found.all('not checked')).toEqual(['registration', 'sign-in', 'server']);
    expect(await readdir(storeFolder(home))).toEqual(files);
  });

  test('a record of a newer version, or of another server', async () => {
    const { home, told } = await signedIn();
    await changeRecord(home, (record) => Object.assign(record, { upstreamUrl: 'https://elsewhere.example/mcp' }));
    expect((await told()).finding('record')).toMatchObject({
      ...machine,
      verdict: 'failed',
      what: expect.stringMatching(/belongs to https:\/\/elsewhere\.example\/mcp \(CONFIG_INVALID\)$/),
    });
    await changeRecord(home, (record) => Object.assign(record, { schema: 99 }));
    expect((await told()).finding('record')).toMatchObject({
      ...machine,
      verdict: 'failed',
      fix: expect.stringContaining('@latest'),
    });
  });
});

test('the lock: held by one that works, by one that stands still, and by one that is gone', async () => {
  const { upstream, home, told } = await signedIn();
  const other = await startProcess<StoreVerbs>('store-process', storeFolder(home), upstream.url);
  expect((await told()).finding('lock')).toMatchObject({ verdict: 'fine', what: 'free' });
  await other.ask('hold');
  expect((await told()).finding('lock')).toMatchObject({
    verdict: 'fine',
    what: `held by pid ${other.pid}, which is at work`,
  });
  await other.stop();
  expect((await told()).finding('lock')).toMatchObject({
    ...machine,
    verdict: 'warning',
    what: `held by pid ${other.pid}, which gives no sign of life`,
  });
  await other.kill();
  expect((await told()).finding('lock').what).toContain('an owner that is gone');
});

test('a callback port that another program has', async () => {
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void stranger.close());
  const port = String((stranger.address() as AddressInfo).port);
  const upstream = await upstreamInTest({ auth: false });
  const home = await homeInTest();
  const taken = await toldDoctor(home, upstream.url, { args: ['--callback-port', port] });
  expect(taken.finding('callback port')).toMatchObject({ ...machine, verdict: 'failed' });
  await new Promise((resolve) => stranger.close(resolve));
  const free = await toldDoctor(home, upstream.url, { args: ['--callback-port', port] });
  expect(free.finding('callback port').what).toBe(`${port} is free`);
});

test('a browser that cannot be opened, is not there, or is not wanted', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const home = await homeInTest();
  const browser = async (env: Record<string, string>, args: string[] = []) =>
    (await toldDoctor(home, upstream.url, { env, args })).finding('browser');
  expect(await browser({})).toMatchObject({ verdict: 'fine', what: `opened by ${home.browser.command}` });
  expect(await browser({ BROWSER: '' })).toMatchObject({ ...machine, verdict: 'warning' });
  const gone = await browser({ BROWSER: 'no-such-browser %s' });
  expect(gone).toMatchObject({ verdict: 'warning', what: expect.stringMatching(/^no-such-browser/) });
  const empty = await folderInTest();
  expect(await browser({ BROWSER: '', DISPLAY: ':0', PATH: empty })).toMatchObject({
    verdict: 'warning',
    what: expect.stringMatching(/^xdg-open/),
  });
  expect(await browser({ BROWSER: '' }, ['--no-browser'])).toMatchObject({ verdict: 'fine' });
});

describe('the configurations of clients', () => {
  const entry = JSON.stringify({ mcpServers: { notion: { command: 'npx', args: ['-y', 'notion-mcp-bridge'] } } });
  const put = async (home: string, path: string, text: string) => {
    await mkdir(dirname(join(home, path)), { recursive: true });
    await writeFile(join(home, path), text);
  };

  test.each([
    ['linux', ['.config/Claude/claude_desktop_config.json', '.config/Code/User/mcp.json', '.config/zed/settings.json']],
    [
      'darwin',
      [
        'Library/Application Support/Claude/claude_desktop_config.json',
        'Library/Application Support/Code/User/mcp.json',
        '.config/zed/settings.json',
      ],
    ],
  ] as const)('are found where each client looks, on %s', async (platform, places) => {
    const home = await folderInTest();
    const common = ['.claude.json', '.cursor/mcp.json', '.codeium/windsurf/mcp_config.json', '.codex/config.toml'];
    const all = [...places, ...common, '.gemini/settings.json'];
    for (const path of all) await put(home, path, entry);
    const found = findClientConfigs({ platform, home, environment: {} });
    expect(found.map(({ path }) => path).sort()).toEqual(all.map((path) => join(home, path)).sort());
    expect(found.every(({ mentionsUs }) => mentionsUs)).toBe(true);
    expect(new Set(found.map(({ client }) => client)).size).toBe(8);
  });

  test('that do not name us are told', async () => {
    const home = await homeInTest();
    const upstream = await upstreamInTest({ auth: false });
    await put(home.path, '.codex/config.toml', '[mcp_servers.other]\n');
    expect((await toldDoctor(home, upstream.url)).finding('clients')).toMatchObject({
      ...machine,
      verdict: 'warning',
      what: 'Codex: none names us',
    });
  });
});

test('what a record written by hand says cannot write to the terminal', async () => {
  const home: Home = await homeInTest();
  const upstream = await upstreamInTest();
  const evil = 'Ada\u001b[2J\nfine         hacked';
  await storeRecord(home, { ...connectedRecord({ identity: { workspace_name: evil } }), upstreamUrl: upstream.url });
  const { stdout } = await runCommand(home, ['doctor', '--url', upstream.url]).ended;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(stdout).not.toMatch(/^fine +hacked/m);
});
