import { watch } from 'node:fs';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createLock } from '../src/credentials/lock.ts';
import { systemProcesses } from '../src/credentials/owner.ts';
import { clockInTest } from './support/clock.ts';
import { describeLock } from './support/lock-contract.ts';
import type { LockVerbs } from './support/lock-process.ts';
import { mountReadOnly } from './support/mount-in-test.ts';
import { startProcess } from './support/other-process.ts';
import { folderInTest } from './support/store-in-test.ts';

async function lockInTest() {
  const folder = await folderInTest();
  const path = join(folder, 'record.json.lock');
  const guarded = join(folder, 'guarded');
  await writeFile(guarded, '0');
  return { folder, path, guarded };
}

describeLock('the lock', async () => {
  const { path, guarded } = await lockInTest();
  return {
    lock: (clock) => createLock(path, clock),
    process: () => startProcess<LockVerbs>('lock-process', path, guarded),
    guarded: async () => Number(await readFile(guarded, 'utf8')),
    heartbeat: () =>
      new Promise((resolve) => {
        const watcher = watch(path, () => {
          watcher.close();
          resolve();
        });
      }),
  };
});

const { isElsewhere, isGone, newOwner } = systemProcesses;

test('a lock folder without a name in it is taken over after 5 s of looks', async () => {
  const { path } = await lockInTest();
  await mkdir(path);
  const clock = clockInTest();
  const acquiring = createLock(path, clock).acquire();
  while ((await clock.untilSleeps(250, acquiring)) !== undefined) clock.advance(250);
  const held = await acquiring;
  expect(held.isHeld()).toBe(true);
  await held.release();
});

test('a folder that refuses is told apart from a lock that is held', async () => {
  const { guarded } = await lockInTest();
  const lock = createLock(join(guarded, 'record.json.lock'), systemClock);
  await expect(lock.acquire()).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
});

test('a folder that does not exist is told apart from a lock that is held', async () => {
  const { folder } = await lockInTest();
  const lock = createLock(join(folder, 'nowhere', 'record.json.lock'), systemClock);
  await expect(lock.acquire()).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
});

test('what earlier locks left behind goes after ten minutes, and not earlier', async () => {
  const { folder, path } = await lockInTest();
  const remains = async () => (await readdir(folder)).filter((name) => /grave|draft/.test(name));
  const age = async (names: string[], minutes: number) => {
    const then = Date.now() / 1000 - minutes * 60;
    for (const name of names) await utimes(join(folder, name), then, then);
  };
  await mkdir(`${path}.draft-of-a-crash`);
  await writeFile(join(folder, 'record.json.corrupt-1'), 'kept');
  await (await createLock(path, systemClock).acquire()).release();
  const first = await remains();
  expect(first).toHaveLength(2);
  await age(first, 9);
  await (await createLock(path, systemClock).acquire()).release();
  expect(await remains()).toEqual(expect.arrayContaining(first));
  await age([...first, 'record.json.corrupt-1'], 11);
  await (await createLock(path, systemClock).acquire()).release();
  expect(await remains()).not.toEqual(expect.arrayContaining([expect.stringMatching(first.join('|'))]));
  expect(await readdir(folder)).toContain('record.json.corrupt-1');
});

test('a clock that is hours ahead sweeps no draft of a living process', async () => {
  const { path } = await lockInTest();
  const clock = clockInTest();
  clock.advance(7_200_000);
  await mkdir(`${path}.draft-of-a-living-process`);
  await (await createLock(path, clock).acquire()).release();
  expect(await readdir(dirname(path))).toContain('record.json.lock.draft-of-a-living-process');
});

test('a late release cannot remove the lock of the thief, even when nothing remains of its own', async () => {
  const { folder, path, guarded } = await lockInTest();
  const holder = await startProcess<LockVerbs>('lock-process', path, guarded);
  await holder.ask('acquire');
  await holder.stop();
  const clock = clockInTest();
  const stealing = createLock(path, clock).acquire();
  while ((await clock.untilSleeps(250, stealing)) !== undefined) clock.advance(250);
  for (const name of await readdir(folder)) {
    if (name.includes('.grave-')) await rm(join(folder, name), { recursive: true });
  }
  holder.resume();
  await holder.ask('release');
  const thief = await stealing;
  expect(thief.isHeld()).toBe(true);
  await thief.release();
});

test('remains that cannot be swept keep nobody from the lock', async (context) => {
  const { path } = await lockInTest();
  const remains = `${path}.grave-of-another-user`;
  await mkdir(remains);
  await utimes(remains, 0, 0);
  if (!mountReadOnly(remains)) context.skip('cannot mount here');
  const held = await createLock(path, systemClock).acquire();
  expect(held.isHeld()).toBe(true);
  await held.release();
});

test('a read-only folder is told apart from a lock that is held', async (context) => {
  const { folder, path } = await lockInTest();
  if (!mountReadOnly(folder)) context.skip('cannot mount here');
  await expect(createLock(path, systemClock).acquire()).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
});

test('an owner is gone only when it is certain', async () => {
  const { path, guarded } = await lockInTest();
  const other = await startProcess<LockVerbs>('lock-process', path, guarded);
  const owner = await other.ask('acquire');
  expect([isGone(owner), isElsewhere(owner)]).toEqual([false, false]);
  await other.kill();
  expect(isGone(owner)).toBe(true);
  const elsewhere = { ...owner, place: 'another machine' };
  expect([isGone(elsewhere), isElsewhere(elsewhere)]).toEqual([false, true]);
  expect(isGone(newOwner())).toBe(false);
});
