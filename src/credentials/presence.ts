import { readdirSync, rmSync } from 'node:fs';
import { uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import { describe } from '../errors.ts';
import { type Log, oneLine } from '../log.ts';
import type { Owner, Processes } from './owner.ts';
import { createSideFile } from './side-file.ts';

/** A process of ours, as it tells of itself. */
export interface RunningProcess {
  owner: Owner;
  /** `server`, or the command. */
  kind: string;
  since: number;
  /** What its MCP client calls itself. */
  client?: string;
}

/** Which processes share a record, for people to look at: each tells of itself in a side file of its own, which may be lost. */
export interface Presence {
  /** From now on others can see this process: in the background, and only once it has lived for a while. */
  announce(kind: string): void;
  /** The MCP client has said what it is called. */
  servesClient(name: unknown): void;
  /** Those that live, the oldest first. */
  list(): RunningProcess[];
  /** Resolves once nothing is left of it. */
  leave(): Promise<void>;
}

interface PresenceOptions {
  /** What every such file begins with, folder included. */
  prefix: string;
  processes: Processes;
  clock: Clock;
  log: Log;
}

/** Probes and quick commands leave no file, and `initialize` is answered long before (product.md 4). */
const settlingIn = 3_000;
const longestName = 60;
/** The wall clock may have been set a little since the system started. */
const bootSlack = 60_000;

export function createPresence({ prefix, processes, clock, log }: PresenceOptions): Presence {
  const folder = dirname(prefix);
  const over = new AbortController();
  const owner = processes.newOwner();
  const path = `${prefix}${owner.nonce}.json`;
  const file = createSideFile<RunningProcess | undefined>(path, acceptProcess, log);
  const since = clock.now();
  let client: string | undefined;
  let kind: string | undefined;
  let writing: Promise<void> | undefined;

  const write = () => {
    if (kind === undefined || over.signal.aborted) return;
    const me = { owner, kind, since, ...(client === undefined ? {} : { client }) };
    writing = file.change(() => me);
  };

  /** A process id means nothing any more after a restart of the system. */
  const isGone = (one: RunningProcess) =>
    processes.isGone(one.owner) ||
    (!processes.isElsewhere(one.owner) && one.since < clock.now() - uptime() * 1_000 - bootSlack);

  /** Drafts that a crash left behind are among them. */
  const found = () =>
    namesIn(folder)
      .filter((name) => name.startsWith(basename(prefix)))
      .map((name) => ({ name, one: createSideFile(join(folder, name), acceptProcess, log).read() }));

  const remove = (name: string) => {
    try {
      rmSync(join(folder, name), { force: true });
    } catch (error) {
      log.debug('could not remove a side file', { path: name, why: describe(error) });
    }
  };

  const sweep = () => {
    for (const { name, one } of found()) if (one && isGone(one)) remove(name);
  };

  return {
    announce: (as) => {
      void clock.sleep(settlingIn, over.signal).then(() => {
        if (over.signal.aborted) return;
        kind = as;
        write();
        sweep();
      });
    },
    servesClient: (name) => {
      if (typeof name === 'string') client = oneLine(name, longestName);
      write();
    },
    list: () =>
      found()
        .flatMap(({ name, one }) => (one && name.endsWith('.json') && !isGone(one) ? [one] : []))
        .sort((one, other) => one.since - other.since),
    leave: async () => {
      over.abort();
      await writing;
      if (writing) remove(basename(path));
    },
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function acceptProcess(json: unknown): RunningProcess | undefined {
  const { owner, kind, since, client } = (json ?? {}) as Partial<RunningProcess>;
  const { nonce, pid, place } = owner ?? ({} as Partial<Owner>);
  if (typeof nonce !== 'string' || typeof place !== 'string' || !Number.isSafeInteger(pid)) return undefined;
  if (typeof kind !== 'string' || !Number.isSafeInteger(since)) return undefined;
  return {
    owner: owner as Owner,
    kind,
    since: since as number,
    ...(typeof client === 'string' ? { client } : {}),
  };
}
