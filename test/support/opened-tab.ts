import { type Home, homeInTest, spawnBridge } from './spawn-bridge.ts';
import { upstreamInTest } from './upstream/in-test.ts';
import type { UpstreamOptions } from './upstream/upstream.ts';

/** A bridge on an empty home whose first tool call has opened a tab; the person has not acted on it yet. */
export async function openedTab(options: UpstreamOptions = {}, args: string[] = [], at?: Home) {
  const upstream = await upstreamInTest(options);
  const home = at ?? (await homeInTest('ignores'));
  const bridge = await spawnBridge({ home, url: upstream.url, args });
  // A client that goes down with its bridge gets no answer.
  const call = search(bridge).catch((error) => ({ text: String(error), isError: true }));
  const { url } = await home.browser.tab(1);
  return { upstream, home, bridge, call, url };
}

/** A call that reads, and that every sign-in is enough for. */
export function search(bridge: Awaited<ReturnType<typeof spawnBridge>>) {
  return bridge.call('notion-search', { query: 'roadmap' });
}

/** The link that a result shows to the person. */
export function linkIn(text: string): string {
  const link = /http:\/\/127\.0\.0\.1:\d+\/authorize\?\S+/.exec(text)?.[0];
  if (link === undefined) throw new Error(`there is no link in: ${text}`);
  return link;
}

export const codeExchange = { endpoint: 'token', grantType: 'authorization_code' } as const;
export const refresh = { endpoint: 'token', grantType: 'refresh_token' } as const;
