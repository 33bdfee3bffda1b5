import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { Connection } from '../../bridge.ts';
import { createLockFolder, type LockSeen } from '../../credentials/lock-folder.ts';
import type { ConnectionRecord } from '../../credentials/record.ts';
import { createRecordFile } from '../../credentials/record-file.ts';
import { errnoOf } from '../../errors.ts';
import type { CommandContext } from '../command.ts';
import { type Finding, failed, fine, type Result, warning } from './examination.ts';

/** Longer than a heartbeat of the lock. */
const heartbeatWait = 1_500;

/** The folder: there or possible, ours, private, and one that takes writes. */
export function checkStore({ config, machine }: CommandContext, { location }: Connection): Finding {
  const { folder, record } = { folder: config.folder, record: location.record };
  const there = nearest(folder);
  const stats = statSync(there);
  if (!stats.isDirectory()) return failed('this machine', `${there} is not a folder`, 'choose another `--config-dir`');
  const refusal = refusalOf(there);
  if (refusal !== undefined)
    return failed(
      'this machine',
      `${there} takes no writes (${refusal})`,
      `make it writable for you: ${howToOwn(there)}`,
    );
  if (there !== folder) return fine(`${folder}, which the first sign-in will make`);
  if (!machine.platform.startsWith('win')) {
    const trouble = [folder, ...(existsSync(record) ? [record] : [])].map(exposureOf).find((one) => one !== undefined);
    if (trouble) return trouble;
  }
  return fine(existsSync(record) ? record : `${folder}, without a record of this connection yet`);
}

function nearest(path: string): string {
  let there = path;
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  return there;
}

function refusalOf(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return errnoOf(error) ?? 'unknown';
  }
}

function howToOwn(path: string): string {
  return `check its owner, its permissions, and that its disk is not read-only (${path})`;
}

/** Whoever else can read the record can use the sign-in. */
function exposureOf(path: string): Finding | undefined {
  const stats = statSync(path);
  const mode = (stats.mode & 0o777).toString(8);
  const wanted = stats.isDirectory() ? '700' : '600';
  if ((stats.mode & 0o077) !== 0)
    return warning(
      'this machine',
      `${path} is open to other users (mode ${mode})`,
      `run \`chmod ${wanted} "${path}"\``,
    );
  if (!isOurs(stats))
    return warning(
      'this machine',
      `${path} belongs to another user (id ${stats.uid})`,
      'run notion-mcp-bridge as that user, or give the folder back with `chown -R`; do not use `sudo` for it',
    );
  return undefined;
}

function isOurs({ uid }: Stats): boolean {
  try {
    return userInfo().uid === uid;
  } catch {
    // A user without a name, as in some containers.
    return true;
  }
}

/** Reads without moving a damaged file aside: that is for whoever uses it. */
export async function checkRecord({ store }: Connection): Promise<Result<ConnectionRecord>> {
  const found = createRecordFile(store.path).read();
  if (found.kind === 'damaged')
    return {
      finding: failed(
        'this machine',
        `${store.path} is damaged`,
        'run `npx -y notion-mcp-bridge login`; the damaged file is moved aside, not deleted',
      ),
    };
  // Says what is wrong with a newer one, or with one of another server.
  const record = await store.load();
  if (found.kind === 'absent') return { finding: fine('none yet'), value: record };
  return { finding: fine(`readable (schema ${record.schema}, generation ${record.generation})`), value: record };
}

/** Two looks: a holder that lives shows a heartbeat between them. */
export async function checkLock({ clock }: CommandContext, { location, store }: Connection): Promise<Finding> {
  const folder = createLockFolder(location.lock);
  const first = folder.look();
  if (!first) return fine('free');
  const { owner } = first;
  if (owner && store.processes.isGone(owner))
    return fine(`left by an owner that is gone (pid ${owner.pid}); the next one takes it`);
  await clock.sleep(heartbeatWait);
  const second = folder.look();
  if (!second || second.identity !== first.identity) return fine('in use, and given back');
  const holder = nameOf(second, store.processes.isElsewhere);
  if (second.beat !== first.beat) return fine(`held by ${holder}, which is at work`);
  return warning(
    'this machine',
    `held by ${holder}, which gives no sign of life`,
    'others take it over after 5 seconds; if that process stands still, let it go on or end it',
  );
}

function nameOf({ owner }: LockSeen, isElsewhere: Connection['store']['processes']['isElsewhere']): string {
  if (!owner) return 'a process without a name';
  return `pid ${owner.pid}${isElsewhere(owner) ? ' on another machine or in another container' : ''}`;
}

/** Logging never stops the bridge, so trouble here is no failure. */
export function checkLogs({ config }: CommandContext): Finding {
  const logs = join(config.folder, 'logs');
  if (!existsSync(logs)) return fine(`${logs} (nothing was logged yet)`);
  const refusal = refusalOf(logs);
  if (refusal === undefined) return fine(logs);
  return warning('this machine', `${logs} takes no writes (${refusal})`, howToOwn(logs));
}
