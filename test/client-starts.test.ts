import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { refresh } from './support/opened-tab.ts';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { ageTokens, expireTokens, storeFolder } from './support/stored-record.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

// Claude Desktop spawns a probe that it kills, and two copies that live, at each of its starts (clients.md).

async function signedIn() {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  await ageTokens(home);
  return { upstream, home, spawn: () => spawnRaw({ home, url: upstream.url }) };
}

/** What stays (docs/storage.md): the record and its side files, the log, and for ten minutes the graves of locks. */
const stays = /-[0-9a-f]{8}(\.counters|\.lists)?\.json$|^logs$|\.lock\.grave-[0-9a-f-]+$/;

/** Locks, drafts, and signs of who is running: what only a process that lives may have there. */
async function passing(home: Home): Promise<string[]> {
  return (await readdir(storeFolder(home))).filter((file) => !stays.test(file));
}

async function chat(bridge: RawClient): Promise<void> {
  expect(await bridge.request('server/discover')).toMatchObject({ error: { code: -32601 } });
  await bridge.hello();
  expect((await bridge.request('tools/list')).result.tools).not.toHaveLength(0);
  expect(await bridge.textOf('notion-search', { query: 'x' })).toContain('workspace_search');
}

/** As Claude Desktop ends a server: the end of stdin; a probe hears SIGTERM at once, too. */
async function endProbe(probe: RawClient): Promise<void> {
  probe.endInput();
  probe.kill('SIGTERM');
  expect(await probe.ended).toMatchObject({ signal: null });
}

async function startOfClient(spawn: () => RawClient): Promise<RawClient[]> {
  const [probe, ...copies] = [spawn(), spawn(), spawn()];
  await Promise.all([
    ...copies.map(chat),
    (probe as RawClient).request('server/discover').then(() => endProbe(probe as RawClient)),
  ]);
  return copies;
}

async function leaves(copies: RawClient[]): Promise<void> {
  for (const copy of copies) copy.endInput();
  for (const copy of copies) expect(await copy.ended).toMatchObject({ code: 0, signal: null });
}

async function expectNoTrace(home: Home, upstream: Upstream): Promise<void> {
  expect(await passing(home)).toEqual([]);
  expect(upstream.sessions).toEqual([]);
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
}

test('three starts of a client, each with two copies and a probe that is killed, leave nothing behind', async () => {
  const { upstream, home, spawn } = await signedIn();
  for (let start = 1; start <= 3; start += 1) {
    if (start > 1) await expireTokens(home);
    const copies = await startOfClient(spawn);
    expect(upstream.sessions).toHaveLength(copies.length);
    await leaves(copies);
    await expectNoTrace(home, upstream);
    expect(upstream.count(refresh)).toBe(start - 1);
  }
});

test('a probe that is killed in the middle of anything is cleared up after by the copies that live', async () => {
  const { upstream, home, spawn } = await signedIn();
  const copies = await startOfClient(spawn);
  for (let probes = 0; probes < 6; probes += 1) {
    const probe = spawn();
    if (probes % 2 === 0) await probe.request('server/discover');
    else probe.send({ id: 1, method: 'server/discover' });
    probe.kill('SIGKILL');
    expect(await probe.ended).toMatchObject({ signal: 'SIGKILL' });
  }
  expect(upstream.sessions).toHaveLength(copies.length);
  await leaves(copies);
  await expectNoTrace(home, upstream);
});
