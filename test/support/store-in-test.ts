import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { type Location, locate } from '../../src/credentials/location.ts';
import { createStore, type Store } from '../../src/credentials/store.ts';
import { createLog, type Log } from '../../src/log.ts';

/** An empty folder that is gone after the test. */
export async function folderInTest(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'notion-mcp-bridge-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A log whose lines a test can read. */
export function collectedLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog('debug', { person: (line) => lines.push(line) }, systemClock), lines };
}

export interface OpenedStore {
  store: Store;
  location: Location;
  lines: string[];
}

/** The real store, as another process or another start of this one would open it. */
export function openStore(folder: string, upstreamUrl: string, clock: Clock = systemClock): OpenedStore {
  const location = locate(folder, 'default', new URL(upstreamUrl));
  const { log, lines } = collectedLog();
  const store = createStore({ location, upstreamUrl, clock, log });
  onTestFinished(() => store.close());
  return { store, location, lines };
}
