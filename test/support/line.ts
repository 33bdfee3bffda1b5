import { type RawClient, spawnRaw } from './raw-client.ts';
import { type Others, type Script, type ScriptedUpstream, scriptedUpstream } from './scripted-upstream.ts';
import { homeInTest } from './spawn-bridge.ts';

export interface Line {
  upstream: ScriptedUpstream;
  client: RawClient;
}

/** A greeted client, the bridge, and a server whose bytes the test decides. */
export async function line(script: Script, other?: Others): Promise<Line> {
  const upstream = await scriptedUpstream(script, other);
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  return { upstream, client };
}
