import { onTestFinished } from 'vitest';
import { openRaw, type RawClient, type RawOptions } from './raw-peer.ts';

export type { HelloOptions, Line, RawClient } from './raw-peer.ts';

/** A peer without an SDK over the built bridge; gone with the test. */
export function spawnRaw(options: RawOptions): RawClient {
  const peer = openRaw(options);
  onTestFinished(async () => void (await peer.leave()));
  return peer;
}
