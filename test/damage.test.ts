import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { schemaVersion } from '../src/credentials/record.ts';
import { startProcess } from './support/other-process.ts';
import { connectedRecord, livingOwner, refreshMark, upstreamUrl } from './support/records.ts';
import { folderInTest, openStore } from './support/store-in-test.ts';
import type { StoreVerbs } from './support/store-process.ts';

const sound = connectedRecord();
const { grant } = sound;

async function fileInTest(content: string) {
  const folder = join(await folderInTest(), 'store');
  await mkdir(folder);
  const opened = openStore(folder, upstreamUrl);
  const path = opened.location.record;
  await writeFile(path, content);
  const aside = async () => (await readdir(folder)).filter((name) => name.startsWith(`${basename(path)}.corrupt-`));
  return { folder, path, ...opened, aside };
}

const damages: Record<string, string> = {
  garbage: '\u0000\u0001 not JSON at all',
  'a truncated file': JSON.stringify(sound).slice(0, -20),
  'an empty file': '',
  null: 'null',
  'a list': '[]',
  'a text': '"connected"',
  'no schema': JSON.stringify({ ...sound, schema: undefined }),
  'no upstream': JSON.stringify({ ...sound, upstreamUrl: '' }),
  'a generation that is none': JSON.stringify({ ...sound, generation: '1' }),
  'an unknown state': JSON.stringify({ ...sound, state: 'happy' }),
  'a history that is no list': JSON.stringify({ ...sound, history: {} }),
  'a grant without tokens': JSON.stringify({ ...sound, grant: { ...grant, tokens: undefined } }),
  'an access token that is a number': JSON.stringify({
    ...sound,
    grant: { ...grant, tokens: { ...grant.tokens, access_token: 1 } },
  }),
  'times that are texts': JSON.stringify({
    ...sound,
    grant: { ...grant, tokens: { ...grant.tokens, expiresAt: 'soon' } },
  }),
  'a grant without its client': JSON.stringify({ ...sound, grant: { ...grant, registration: {} } }),
  'a grant without its server': JSON.stringify({ ...sound, grant: { ...grant, authorizationServer: {} } }),
  'a rejection that is none': JSON.stringify({ ...sound, grant: { ...grant, rejections: [null] } }),
  'an alternate that is none': JSON.stringify({ ...sound, grant: { ...grant, alternate: { refresh_token: 1 } } }),
  'a previous token that is none': JSON.stringify({ ...sound, grant: { ...grant, previous: 7 } }),
  'a history entry that is none': JSON.stringify({ ...sound, history: [null] }),
  'a mark without owner': JSON.stringify({ ...sound, refreshUnderWay: { ...refreshMark(), owner: {} } }),
  'a pending sign-in without attempts': JSON.stringify({
    ...sound,
    pendingSignIn: { id: 'a', need: 'first', since: 1, owner: livingOwner, prepared: { port: 1 } },
  }),
};

describe('a damaged record', () => {
  test.each(Object.entries(damages))(
    '(%s) is moved aside whole, told with its path, and signed out',
    async (_, content) => {
      const { store, folder, path, lines, aside } = await fileInTest(content);
      expect(await store.load()).toMatchObject({ state: 'signed_out', generation: 0 });
      const [name, ...others] = await aside();
      expect(name).toMatch(/\.json\.corrupt-\d{13}$/);
      expect(others).toEqual([]);
      expect(await readFile(join(folder, name as string), 'utf8')).toBe(content);
      await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
      expect(lines).toEqual([expect.stringContaining(`path=${join(folder, name as string)}`)]);
    },
  );

  test('does not get in the way of the next write', async () => {
    const { store, aside, path } = await fileInTest('{');
    await store.update((record) => ({ ...record, generation: 7 }));
    expect(await aside()).toHaveLength(1);
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ generation: 7 });
  });

  test('that many processes find at once is moved aside once', async () => {
    const { folder, aside } = await fileInTest('{');
    const processes = await Promise.all(
      [1, 2, 3].map(() => startProcess<StoreVerbs>('store-process', folder, upstreamUrl)),
    );
    const found = await Promise.all(processes.map((other) => other.ask('load')));
    expect(found.map(({ state }) => state)).toEqual(['signed_out', 'signed_out', 'signed_out']);
    expect(await aside()).toHaveLength(1);
  });

  test('that another process has mended meanwhile is not moved aside', async () => {
    const { folder, path, store, aside } = await fileInTest('{');
    const other = await startProcess<StoreVerbs>('store-process', folder, upstreamUrl);
    await other.ask('hold');
    const loaded = store.load();
    await writeFile(path, JSON.stringify(sound));
    await other.ask('letGo');
    expect(await loaded).toEqual(sound);
    expect(await aside()).toEqual([]);
  });
});

describe('a record that is not ours to change', () => {
  const foreign: Record<string, { record: unknown; code: string }> = {
    'a newer schema': { record: { schema: schemaVersion + 1, all: 'different' }, code: 'CREDENTIALS_UNREADABLE' },
    'another upstream': { record: { ...sound, upstreamUrl: 'https://other.example/mcp' }, code: 'CONFIG_INVALID' },
    'a resource of another origin': {
      record: { ...sound, grant: { ...grant, resource: 'https://other.example/mcp' } },
      code: 'CONFIG_INVALID',
    },
    'a resource below the upstream': {
      record: { ...sound, grant: { ...grant, resource: `${upstreamUrl}/deeper` } },
      code: 'CONFIG_INVALID',
    },
  };

  test.each(Object.entries(foreign))('(%s) is told and stays as it is', async (_, { record, code }) => {
    const content = JSON.stringify(record);
    const { store, folder, path } = await fileInTest(content);
    await expect(store.load()).rejects.toMatchObject({ code });
    await expect(store.update((found) => ({ ...found, generation: 9 }))).rejects.toMatchObject({ code });
    expect(await readFile(path, 'utf8')).toBe(content);
    expect((await readdir(folder)).filter((name) => name.includes('corrupt'))).toEqual([]);
  });
});
