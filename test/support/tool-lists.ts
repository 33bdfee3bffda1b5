import { expect } from 'vitest';
import { type RawClient, spawnRaw } from './raw-client.ts';
import type { Home } from './spawn-bridge.ts';
import type { Gate } from './upstream/faults.ts';
import type { Upstream } from './upstream/upstream.ts';

export const listChanged = ({ method }: { method?: string }) => method === 'notifications/tools/list_changed';

/** The tools that a client lists. */
export async function names(client: RawClient, params?: object): Promise<string[]> {
  const { result } = await client.request('tools/list', params);
  return result.tools.map(({ name }: { name: string }) => name);
}

/** A start that leaves everything cached. */
export async function fillCache(home: Home, upstream: Upstream): Promise<string[]> {
  const others = await cachedLists(home);
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  const listed = await names(client);
  await expect.poll(() => cachedLists(home)).toEqual([...others, 4]);
  await client.leave();
  return listed;
}

/** How many lists are cached, client by client. */
export async function cachedLists(home: Home): Promise<number[]> {
  const clients = Object.values((await home.lists())?.clients ?? {});
  return clients.map(({ lists }) => Object.keys(lists).length);
}

/** Holds the next requests for the tool list: the client's, and the one that is read ahead. */
export function holdToolLists(upstream: Upstream, count: number): Gate[] {
  return Array.from({ length: count }, () => upstream.faults.hold('mcp', { when: { rpc: 'tools/list' } }));
}
