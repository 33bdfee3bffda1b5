import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { locate } from '../src/credentials/location.ts';
import type { ConnectionRecord } from '../src/credentials/record.ts';
import { connectedRecord, upstreamUrl } from './support/records.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { storeFolder } from './support/stored-record.ts';
import { secretsOf } from './support/told-status.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const status = (home: Home, ...args: string[]) => runCommand(home, ['status', ...args]).ended;

/** Writes records as if they had always been there; gives their paths. */
async function store(home: Home, records: Record<string, ConnectionRecord | string>): Promise<string[]> {
  await mkdir(storeFolder(home), { mode: 0o700 });
  return Promise.all(
    Object.entries(records).map(async ([profile, record]) => {
      const path = locate(storeFolder(home), profile, new URL(upstreamUrl)).record;
      await writeFile(path, typeof record === 'string' ? record : JSON.stringify(record), { mode: 0o600 });
      return path;
    }),
  );
}

const ended = (): ConnectionRecord => ({ ...connectedRecord(), state: 'needs_reconnect', reason: 'invalid_grant' });

test('status tells of every connection, at any server, and of one when that is named', async () => {
  const [one, other] = [await upstreamInTest(), await upstreamInTest({ user: 'grace' })];
  const home = await homeInTest();
  await runCommand(home, ['login', '--url', one.url]).ended;
  await runCommand(home, ['login', '--url', other.url, '--profile', 'work']).ended;

  const all = await status(home);
  expect(all).toMatchObject({ code: 0, stderr: '' });
  expect(all.stdout).toMatch(new RegExp(`^default +connected +Ada’s workspace +\\S.* +${one.url}$`, 'm'));
  expect(all.stdout).toMatch(new RegExp(`^work +connected +Grace’s workspace +\\S.* +${other.url}$`, 'm'));
  expect(all.stdout).toContain(storeFolder(home));

  const { code, stdout } = await status(home, '--json');
  const { folder, connections } = JSON.parse(stdout);
  expect({ code, folder }).toEqual({ code: 0, folder: storeFolder(home) });
  expect(connections).toMatchObject([
    { profile: 'default', upstream: one.url, state: 'connected', workspace: 'Ada’s workspace' },
    { profile: 'work', upstream: other.url, state: 'connected', workspace: 'Grace’s workspace' },
  ]);
  const named = await status(home, '--json', '--profile', 'work', '--url', other.url);
  expect(Object.keys(JSON.parse(named.stdout))).toEqual(Object.keys(connections[1]));

  for (const name of (await home.files()).filter((file) => /-[0-9a-f]{8}\.json$/.test(file))) {
    const record = JSON.parse(await readFile(join(storeFolder(home), name), 'utf8')) as ConnectionRecord;
    expect(secretsOf(record).length).toBeGreaterThan(1);
    for (const secret of secretsOf(record)) expect(all.stdout + stdout).not.toContain(secret);
  }
});

test('one that has ended is told with its next step, and is exit code 1', async () => {
  const home = await homeInTest();
  await store(home, { default: connectedRecord(), work: ended() });
  const { code, stdout } = await status(home);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^work +needs reconnect \(invalid_grant\) /m);
  expect(stdout).toMatch(`work: run \`npx -y notion-mcp-bridge login --profile work --url ${upstreamUrl}\``);
  expect(stdout).not.toContain('\u001b');
});

test('what the person ended is no trouble while another is connected', async () => {
  const home = await homeInTest();
  const { grant: _grant, ...rest } = connectedRecord();
  await store(home, { default: connectedRecord(), old: { ...rest, state: 'signed_out' } });
  expect(await status(home)).toMatchObject({ code: 0 });
  expect(await status(home, '--profile', 'old', '--url', upstreamUrl)).toMatchObject({ code: 1 });
});

test('a file that cannot be used is told with the reason and left as it is, and hides no other', async () => {
  const home = await homeInTest();
  const strange = { ...connectedRecord(), upstreamUrl: 'https://elsewhere.example/mcp' };
  const newer = JSON.stringify({ ...connectedRecord(), schema: 99 });
  const paths = await store(home, { damaged: '{"schema": 1, "tok', default: connectedRecord(), newer, strange });
  const before = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  const { code, stdout } = await status(home);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^default +connected /m);
  expect(stdout).toMatch(/^damaged: it is damaged/m);
  expect(stdout).toMatch(/^newer: it was written by a newer version/m);
  expect(stdout).toMatch(/^strange: it belongs to https:\/\/elsewhere\.example\/mcp$/m);
  expect(await Promise.all(paths.map((path) => readFile(path, 'utf8')))).toEqual(before);
  expect(JSON.parse((await status(home, '--json')).stdout).connections[0]).toEqual({
    state: 'unreadable',
    profile: 'damaged',
    record: paths[0],
    trouble: expect.stringContaining('damaged'),
  });
});

test('a single connection is told whole, under whatever name, and none as signed out', async () => {
  const home = await homeInTest();
  expect(await status(home)).toMatchObject({ code: 1, stdout: expect.stringMatching(/^state +signed out$/m) });
  expect(JSON.parse((await status(home, '--json')).stdout)).toEqual({ folder: storeFolder(home), connections: [] });
  expect(await readdir(home.path)).not.toContain('.notion-mcp-bridge');
  const [path] = await store(home, { work: connectedRecord() });
  const { code, stdout } = await status(home);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^profile +work$/m);
  expect(stdout).toMatch(new RegExp(`^record +${path}$`, 'm'));
  expect(JSON.parse((await status(home, '--json')).stdout).connections).toHaveLength(1);
});
