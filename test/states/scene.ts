import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openRaw, type RawClient } from '../support/raw-peer.ts';
import { openHome, type TemporaryHome } from '../support/spawn-client.ts';
import type { Person } from '../support/stand-in-browser.ts';
import { ageTokens, storeFolder, waitForStored } from '../support/stored-record.ts';
import { startUpstream, type Upstream, type UpstreamOptions } from '../support/upstream/upstream.ts';
import { markOfCache } from './answers.ts';

/** One home, one server, and the processes that were there before the bridge that is asked. */
export interface Scene {
  upstream: Upstream;
  home: TemporaryHome;
  spawn(): RawClient;
  close(): Promise<void>;
}

export async function openScene(options: UpstreamOptions = {}): Promise<Scene> {
  const upstream = await startUpstream({ testTools: true, ...options });
  const home = await openHome('ignores');
  const spawned: RawClient[] = [];
  return {
    upstream,
    home,
    spawn: () => {
      const client = openRaw({ home, url: upstream.url });
      spawned.push(client);
      return client;
    },
    close: async () => {
      await Promise.all(spawned.map((client) => client.leave()));
      await upstream[Symbol.asyncDispose]();
      await home.remove();
    },
  };
}

/** An earlier process has called a tool; what the person does in the tab is theirs. */
async function earlier({ home, spawn }: Scene, person: Person): Promise<RawClient> {
  home.browser.person = person;
  const client = spawn();
  await client.hello();
  await client.call('notion-get-users');
  home.browser.person = 'ignores';
  return client;
}

/** An earlier process has signed in, and left everything cached. */
export async function connectedBefore(scene: Scene): Promise<void> {
  const client = await earlier(scene, 'approves');
  await waitForStored(scene.home, async () => {
    const [lists] = Object.values((await scene.home.lists())?.clients ?? {});
    return Object.keys(lists?.lists ?? {}).length === 4 || undefined;
  });
  await client.leave();
  await markCache(scene);
  await ageTokens(scene.home);
}

/** An earlier process has opened the tab, and the person has said no. */
export async function declinedBefore(scene: Scene): Promise<void> {
  await (await earlier(scene, 'denies')).leave();
}

async function markCache({ home }: Scene): Promise<void> {
  const name = (await readdir(storeFolder(home))).find((file) => file.endsWith('.lists.json')) as string;
  const path = join(storeFolder(home), name);
  const cache = JSON.parse(await readFile(path, 'utf8'));
  for (const { lists } of Object.values<{ lists: Record<string, Record<string, unknown>> }>(cache.clients)) {
    for (const list of Object.values(lists)) (Object.values(list)[0] as object[]).push({ name: markOfCache });
  }
  await writeFile(`${path}.draft`, JSON.stringify(cache), { mode: 0o600 });
  await rename(`${path}.draft`, path);
}
