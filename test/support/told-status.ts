import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect } from 'vitest';
import { type Location, locate } from '../../src/credentials/location.ts';
import type { ConnectionRecord } from '../../src/credentials/record.ts';
import { runCommand } from './run-command.ts';
import type { Ended, Home } from './spawn-bridge.ts';
import { storeFolder } from './stored-record.ts';

/** Every text in a record that must not leave it. */
export function secretsOf({ grant, pendingSignIn: pending }: ConnectionRecord): string[] {
  const { access_token, refresh_token } = grant?.tokens ?? {};
  const verifiers = pending?.prepared?.attempts.map(({ codeVerifier }) => codeVerifier) ?? [];
  const others = [grant?.previous, grant?.alternate?.refresh_token, grant?.registration.client_secret];
  return [access_token, refresh_token, ...others, ...verifiers].filter((secret) => secret !== undefined);
}

/** Runs a command of the built bridge; nothing secret may be in what it says. */
export async function runQuietly(home: Home, args: string[]): Promise<Ended> {
  const before = await home.record();
  const ended = await runCommand(home, args).ended;
  const records = [before, await home.record()].filter((record) => record !== undefined);
  for (const secret of records.flatMap(secretsOf)) expect(ended.stdout + ended.stderr).not.toContain(secret);
  return ended;
}

/** What `status --json` tells, with its exit code. */
// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever comes
export async function toldStatus(home: Home, url: string): Promise<any> {
  const { code, stdout, stderr } = await runQuietly(home, ['status', '--json', '--url', url]);
  expect(stderr).toBe('');
  return { code, ...JSON.parse(stdout) };
}

/** Writes a record as if it had always been there. */
export async function storeRecord(home: Home, record: ConnectionRecord): Promise<Location> {
  const location = locate(storeFolder(home), 'default', new URL(record.upstreamUrl));
  await mkdir(dirname(location.record), { recursive: true, mode: 0o700 });
  await writeFile(location.record, JSON.stringify(record), { mode: 0o600 });
  return location;
}
