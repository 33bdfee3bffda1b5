import { renameSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ConnectionRecord } from '../src/credentials/record.ts';
import { clockInTest } from './support/clock.ts';
import { fillUp } from './support/mount.ts';
import { mountReadOnly, mountSmall } from './support/mount-in-test.ts';
import { startProcess } from './support/other-process.ts';
import { connectedRecord, upstreamUrl } from './support/records.ts';
import { folderInTest, openStore } from './support/store-in-test.ts';
import type { StoreVerbs } from './support/store-process.ts';

async function storeInTest() {
  const folder = join(await folderInTest(), 'store');
  const opened = openStore(folder, upstreamUrl);
  const onDisk = async () => JSON.parse(await readFile(opened.location.record, 'utf8')) as ConnectionRecord;
  return { folder, ...opened, onDisk };
}

const grown = (record: ConnectionRecord) => ({ ...record, generation: record.generation + 1 });
const padded = (record: ConnectionRecord) => ({ ...grown(record), padding: 'x'.repeat(40_000) });

test('nothing stored is signed out, and looking writes nothing', async () => {
  const { folder, store } = await storeInTest();
  expect(await store.load()).toMatchObject({ state: 'signed_out', generation: 0, upstreamUrl });
  await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('the record is readable by its owner alone, whatever the umask', async () => {
  const { folder, store, location } = await storeInTest();
  const umask = process.umask(0);
  try {
    await store.update(grown);
  } finally {
    process.umask(umask);
  }
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);
  expect([await modeOf(folder), await modeOf(location.record)]).toEqual(['700', '600']);
  await chmod(location.record, 0o644);
  await store.update(grown);
  expect(await modeOf(location.record)).toBe('600');
});

test('members that we do not know survive an update', async () => {
  const { folder, store, location, onDisk } = await storeInTest();
  const record = connectedRecord();
  Object.assign(record, { future: { kept: true } });
  Object.assign(record.grant, { future: 1 });
  Object.assign(record.grant.registration, { client_id_issued_at: 5 });
  await mkdir(folder);
  await writeFile(location.record, JSON.stringify(record));
  await store.update(grown);
  expect(await onDisk()).toEqual({ ...record, generation: 2 });
});

test('a holder that is stopped and robbed between asking for its lock and its draft writes nothing', async () => {
  const { store, location, onDisk } = await storeInTest();
  await store.update(grown);
  const writing = store.locked(async (held) => {
    const written = held.write(grown(grown(await held.read())));
    renameSync(`${location.record}.lock`, `${location.record}.lock.grave-${held.lock.owner.nonce}`);
    await written;
  });
  await expect(writing).rejects.toMatchObject({ code: 'CREDENTIALS_LOCKED' });
  expect(await onDisk()).toMatchObject({ generation: 1 });
});

test('what lies where a draft would, a folder even, does not keep the lock taken', async () => {
  const { store, location } = await storeInTest();
  await store.update(grown);
  const inTheWay = `${location.record}.tmp-1700000000abcdef`;
  await mkdir(join(inTheWay, 'full'), { recursive: true });
  const trouble = await store.update(grown).catch((error: unknown) => error);
  await expect(stat(`${location.record}.lock`)).rejects.toMatchObject({ code: 'ENOENT' });
  expect([trouble, await store.load()]).toMatchObject([{ generation: 2 }, { generation: 2 }]);
});

test('a draft that a crash left behind, with tokens in it, is swept; other files stay', async () => {
  const { folder, store, location } = await storeInTest();
  await store.update(grown);
  await writeFile(`${location.record}.tmp-1700000000abcdef`, '{"access_token":"left"');
  await writeFile(`${location.record}.corrupt-1700000000`, 'kept');
  await store.update(grown);
  const files = await readdir(folder);
  expect(files.filter((name) => name.includes('.tmp-'))).toEqual([]);
  expect(files.filter((name) => name.includes('.corrupt-'))).toHaveLength(1);
});

test('an update that changes nothing writes nothing', async () => {
  const { store, location } = await storeInTest();
  await store.update(grown);
  const before = await stat(location.record, { bigint: true });
  expect(await store.update(() => undefined)).toMatchObject({ generation: 1 });
  expect(await stat(location.record, { bigint: true })).toMatchObject({ ino: before.ino, mtimeNs: before.mtimeNs });
});

test('the file is read again only when it changed', async () => {
  const { folder, store } = await storeInTest();
  await store.update(grown);
  const first = await store.load();
  expect(await store.load()).toBe(first);
  await openStore(folder, upstreamUrl).store.update(grown);
  const second = await store.load();
  expect(second).toMatchObject({ generation: 2 });
  expect(await store.load()).toBe(second);
});

test('many processes lose no update, and nobody ever reads half a record', async () => {
  const { folder, store, onDisk } = await storeInTest();
  await store.update(padded);
  const processes = await Promise.all(
    [1, 2, 3].map(() => startProcess<StoreVerbs>('store-process', folder, upstreamUrl)),
  );
  let growing = true;
  const grew = Promise.all(processes.map((other) => other.ask('grow', 15))).finally(() => {
    growing = false;
  });
  while (growing) expect(await onDisk()).toMatchObject({ padding: expect.stringMatching(/^x{40000}$/) });
  await grew;
  expect(await store.load()).toMatchObject({ generation: 46 });
});

test('a process that is killed while it writes leaves a whole record and no lock', async () => {
  const { folder, store, onDisk } = await storeInTest();
  await store.update(padded);
  const other = await startProcess<StoreVerbs>('store-process', folder, upstreamUrl);
  const growing = other.ask('grow', 1_000);
  const changed = new AbortController();
  await store.waitFor((record) => record.generation > 5, changed.signal);
  await other.kill();
  await expect(growing).rejects.toThrow('ended');
  const { generation } = await onDisk();
  expect(await store.update(grown)).toMatchObject({ generation: generation + 1 });
});

test('a holder that was stopped and robbed does not write', async () => {
  const { folder, store, onDisk } = await storeInTest();
  await store.update(grown);
  const other = await startProcess<StoreVerbs>('store-process', folder, upstreamUrl);
  await other.ask('hold');
  await other.stop();
  const clock = clockInTest();
  const thief = openStore(folder, upstreamUrl, clock).store.update(grown);
  while ((await clock.untilSleeps(250, thief)) !== undefined) clock.advance(250);
  await thief;
  other.resume();
  await expect(other.ask('write', 99)).rejects.toMatchObject({ code: 'CREDENTIALS_LOCKED' });
  expect(await onDisk()).toMatchObject({ generation: 2 });
});

test('whoever waits sees the change of another process', async () => {
  const { folder, store } = await storeInTest();
  const other = await startProcess<StoreVerbs>('store-process', folder, upstreamUrl);
  await store.update(grown);
  const seen = store.waitFor((record) => record.generation === 2, new AbortController().signal);
  await other.ask('grow', 1);
  expect(await seen).toMatchObject({ generation: 2 });
});

test('where the folder cannot be watched, a look per second does', async () => {
  const { folder, store: other } = await storeInTest();
  const clock = clockInTest();
  const { store } = openStore(folder, upstreamUrl, clock);
  const seen = store.waitFor((record) => record.generation === 1, new AbortController().signal);
  await clock.untilSleeps(1_000);
  await other.update(grown);
  clock.advance(1_000);
  expect(await seen).toMatchObject({ generation: 1 });
});

test('waiting ends without a record when it is given up', async () => {
  const { store } = await storeInTest();
  await store.update(grown);
  const giveUp = new AbortController();
  const waiting = store.waitFor(() => false, giveUp.signal);
  giveUp.abort();
  expect(await waiting).toBeUndefined();
});

test('subscribers are told of changes here and elsewhere, until they leave', async () => {
  const { folder, store } = await storeInTest();
  await store.update(grown);
  const told = () => new Promise<void>((resolve) => store.subscribe(resolve));
  const here = told();
  await store.update(grown);
  await here;
  const elsewhere = told();
  await openStore(folder, upstreamUrl).store.update(grown);
  await elsewhere;
  let calls = 0;
  store.subscribe(() => {
    calls += 1;
  })();
  await store.update(grown);
  expect(calls).toBe(0);
});

test.for([
  { left: 'no room at all', free: 0 },
  { left: 'room for a lock only', free: 16_384 },
])('a full disk with $left loses nothing', async ({ free }, context) => {
  const { folder, store, onDisk } = await storeInTest();
  await mkdir(folder, { mode: 0o700 });
  if (!mountSmall(folder, '128k')) context.skip('cannot mount here');
  await store.update(padded);
  const before = await onDisk();
  const filler = join(folder, 'filler');
  await fillUp(filler, free);
  await expect(store.update(grown)).rejects.toMatchObject({
    code: 'CREDENTIALS_UNREADABLE',
    hint: expect.stringContaining('free some disk space'),
  });
  expect(await onDisk()).toEqual(before);
  expect(await store.load()).toEqual(before);
  expect((await readdir(folder)).filter((name) => name.includes('.tmp'))).toEqual([]);
  await writeFile(filler, '');
  expect(await store.update(grown)).toMatchObject({ generation: 2 });
});

test('a read-only folder still gives what it holds', async (context) => {
  const { folder, store } = await storeInTest();
  await mkdir(folder);
  if (!mountReadOnly(folder)) context.skip('cannot mount here');
  expect(await store.load()).toMatchObject({ state: 'signed_out' });
  await expect(store.update(grown)).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
});

test('a folder that cannot be made is told with its path', async () => {
  const file = join(await folderInTest(), 'file');
  await writeFile(file, '');
  const { store } = openStore(join(file, 'store'), upstreamUrl);
  const refused = { code: 'CREDENTIALS_UNREADABLE', message: expect.stringContaining(file) };
  await expect(store.load()).rejects.toMatchObject(refused);
  await expect(store.update(grown)).rejects.toMatchObject(refused);
});
