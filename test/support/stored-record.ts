import { readdir, readFile, rename, watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConnectionRecord, PendingSignIn } from '../../src/credentials/record.ts';
import type { Home } from './spawn-bridge.ts';

/** Where the records of this home are kept. */
export function storeFolder(home: Home): string {
  return join(home.path, '.notion-mcp-bridge');
}

/** The path of the one record under this home. */
export async function recordPath(home: Home): Promise<string> {
  const name = (await readdir(storeFolder(home))).find((file) => /-[0-9a-f]{8}\.json$/.test(file));
  if (name === undefined) throw new Error('there is no record yet');
  return join(storeFolder(home), name);
}

/** Changes the record behind everybody's back, while nobody writes it. */
export async function changeRecord(home: Home, change: (record: ConnectionRecord) => void): Promise<void> {
  const path = await recordPath(home);
  const record = JSON.parse(await readFile(path, 'utf8')) as ConnectionRecord;
  change(record);
  await writeFile(`${path}.draft`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.draft`, path);
}

const fiveMinutes = 300_000;

/** The tokens were issued five minutes ago: what a bridge does for brand-new ones (product.md 6.4, 6.6) does not apply. */
export function ageTokens(home: Home): Promise<void> {
  return changeRecord(home, ({ grant }) => {
    if (grant) grant.tokens.issuedAt -= fiveMinutes;
  });
}

/** The access token has expired, as far as its `expires_in` told. */
export function expireTokens(home: Home): Promise<void> {
  return changeRecord(home, ({ grant }) => {
    if (!grant) return;
    grant.tokens.issuedAt -= 2 * 3_600_000;
    grant.tokens.expiresAt = Date.now() - fiveMinutes;
  });
}

/** The pending sign-in that the record holds. */
export async function pendingSignIn(home: Home): Promise<PendingSignIn> {
  const pending = (await home.record())?.pendingSignIn;
  if (!pending) throw new Error('no sign-in is pending');
  return pending;
}

/** Resolves once the record is as wanted. */
export function waitForRecord(home: Home, isWanted: (record: ConnectionRecord) => boolean): Promise<ConnectionRecord> {
  return waitForStored(home, async () => {
    const record = await home.record();
    return record && isWanted(record) ? record : undefined;
  });
}

/** Resolves once something is found in the store. */
export async function waitForStored<T>(home: Home, look: () => Promise<T | undefined>): Promise<T> {
  const giveUp = AbortSignal.timeout(30_000);
  const changes = watch(storeFolder(home), { signal: giveUp });
  // The iterator is begun before the first look, so that no change falls between.
  const next = changes[Symbol.asyncIterator]();
  for (let change = next.next(); ; change = next.next()) {
    change.catch(() => undefined);
    const found = await look();
    if (found !== undefined) return found;
    await change;
  }
}
