import { type RawClient, spawnRaw } from './raw-client.ts';
import { type ScriptedUpstream, scriptedUpstream } from './scripted-upstream.ts';
import { homeInTest } from './spawn-bridge.ts';

export interface Line {
  upstream: ScriptedUpstream;
  client: RawClient;
}

/** A greeted client, the bridge, and a server whose bytes the test decides. */
export function line(...server: Parameters<typeof scriptedUpstream>): Promise<Line> {
  return lineWith([], ...server);
}

/** The same, with arguments for the bridge. */
export async function lineWith(args: string[], ...server: Parameters<typeof scriptedUpstream>): Promise<Line> {
  const upstream = await scriptedUpstream(...server);
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url, args });
  await client.hello();
  return { upstream, client };
}
