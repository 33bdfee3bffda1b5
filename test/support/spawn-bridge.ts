import { onTestFinished } from 'vitest';
import { type BridgeOptions, connectBridge, type Home, openHome, type SpawnedBridge } from './spawn-client.ts';
import type { Person } from './stand-in-browser.ts';

export type { BridgeOptions, Ended, Home, SpawnedBridge } from './spawn-client.ts';
export { builtBridge, strippedEnvironment } from './spawn-client.ts';

/** A home that is gone after the test. */
export async function homeInTest(person: Person = 'approves'): Promise<Home> {
  const home = await openHome(person);
  onTestFinished(() => home.remove());
  return home;
}

/** The SDK 1.x client over the built bridge; closed with the test. */
export async function spawnBridge(options: BridgeOptions): Promise<SpawnedBridge> {
  const bridge = await connectBridge(options);
  onTestFinished(() => bridge.close());
  return bridge;
}
