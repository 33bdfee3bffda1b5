import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Owner, systemProcesses } from '../src/credentials/owner.ts';
import { createPresence } from '../src/credentials/presence.ts';
import { clockInTest, type TestClock } from './support/clock.ts';
import { collectedLog, folderInTest } from './support/store-in-test.ts';

async function folderOfPresence() {
  const folder = join(await folderInTest(), 'store');
  const clock = clockInTest();
  const prefix = join(folder, 'x.running-');
  const { log, lines } = collectedLog();
  const open = (processes = systemProcesses, at: TestClock = clock) =>
    createPresence({ prefix, processes, clock: at, log });
  const names = () => readdir(folder).catch(() => []);
  /** As another process would have left it. */
  const leave = async (owner: Partial<Owner>, since: number) => {
    await mkdir(folder, { recursive: true });
    const told = { owner: { ...systemProcesses.newOwner(), ...owner }, kind: 'server', since };
    await writeFile(join(folder, `x.running-${told.owner.nonce}.json`), JSON.stringify(told));
    return told;
  };
  return { folder, prefix, clock, lines, open, names, leave };
}

/** The id of a process that was here and is gone. */
async function goneProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid as number;
}

const settlingIn = 3_000;
const day = 24 * 3_600_000;

test('a process is told of once it has lived for a while, with what its client calls itself, until it leaves', async () => {
  const { folder, clock, open, names } = await folderOfPresence();
  const since = clock.now();
  const presence = open();
  presence.announce('server');
  presence.servesClient('claude-ai\u001b[2J');
  expect(presence.list()).toEqual([]);
  clock.advance(settlingIn);
  await expect.poll(() => open().list()).toHaveLength(1);
  expect(open().list()).toEqual([
    { owner: expect.objectContaining({ pid: process.pid }), kind: 'server', client: 'claude-ai [2J', since },
  ]);
  const [name = ''] = await names();
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  presence.servesClient('renamed');
  await expect.poll(() => open().list()).toMatchObject([{ client: 'renamed' }]);
  await presence.leave();
  expect(await names()).toEqual([]);
});

test('a process that ends before that leaves nothing, nor does one whose client speaks late', async () => {
  const { clock, open, names } = await folderOfPresence();
  const presence = open();
  presence.announce('server');
  presence.servesClient('early');
  await presence.leave();
  presence.servesClient('late');
  const next = open();
  next.announce('login');
  expect(await clock.untilSleeps(settlingIn)).toBe(settlingIn);
  expect(await names()).toEqual([]);
  clock.advance(settlingIn);
  await expect.poll(() => next.list()).toMatchObject([{ kind: 'login' }]);
  expect(await names()).toHaveLength(1);
  await next.leave();
});

test('what a crash left is not told, and swept by the next who comes; a living one stays', async () => {
  const { clock, open, names, leave, folder } = await folderOfPresence();
  const pid = await goneProcess();
  const gone = await leave({ pid }, clock.now());
  await writeFile(join(folder, 'x.running-draft.json.tmp-123'), JSON.stringify(gone));
  const beforeRestart = await leave({ nonce: 'before-restart' }, clock.now() - 10_000 * day);
  const living = await leave({ nonce: 'living' }, clock.now());
  const elsewhere = await leave({ nonce: 'elsewhere', pid, place: 'another machine' }, clock.now() + 1);
  expect(open().list()).toEqual([living, elsewhere]);
  expect(await names()).toHaveLength(5);
  const presence = open();
  presence.announce('login');
  clock.advance(settlingIn);
  await expect.poll(names).toHaveLength(3);
  for (const { owner } of [gone, beforeRestart]) expect(await names()).not.toContain(`x.running-${owner.nonce}.json`);
  await presence.leave();
  expect(open().list()).toEqual([living, elsewhere]);
});

test.each(['garbage', 'null', '[]', '{"owner":{}}', '{"owner":{"nonce":"a","pid":"1","place":"b"},"kind":"server"}'])(
  'a file that tells nothing is passed over: %s',
  async (content) => {
    const { open, folder } = await folderOfPresence();
    await mkdir(folder);
    await writeFile(join(folder, 'x.running-a.json'), content);
    expect(open().list()).toEqual([]);
  },
);

test('a folder that refuses is no trouble', async () => {
  const { folder, clock, open, lines } = await folderOfPresence();
  await writeFile(folder, 'not a folder');
  const presence = open();
  presence.announce('server');
  clock.advance(settlingIn);
  await expect.poll(() => lines.length).toBe(1);
  expect(lines[0]).toMatch(/could not write a side file/);
  await presence.leave();
  expect(presence.list()).toEqual([]);
});
