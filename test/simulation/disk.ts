import { parseRecord } from '../../src/credentials/parse-record.ts';
import type { ConnectionRecord } from '../../src/credentials/record.ts';
import type { FileContent, RecordFile } from '../../src/credentials/record-file.ts';
import { unreadable } from '../../src/errors.ts';
import type { Chance } from './chance.ts';
import type { SimulatedProcess } from './process.ts';
import type { Story } from './story.ts';

export type DiskState = 'fine' | 'full' | 'read-only';

/** The one folder that everybody shares. */
export interface Disk {
  readonly state: DiskState;
  become(state: DiskState): void;
  /** It took nothing in all of this time. */
  refusedAll(from: number, to: number): boolean;
  content: string | undefined;
  stamp: number;
  parsed?: { stamp: number; found: FileContent };
  /** Drafts of writes under way; a swept one cannot be renamed any more. */
  readonly drafts: Set<number>;
  readonly watchers: Set<() => void>;
  /** Told of every new content. */
  onWrite: (record: ConnectionRecord, before: ConnectionRecord | undefined, by: SimulatedProcess) => void;
  readonly story: Story;
}

const path = '/home/ada/.notion-mcp-bridge/record.json';

export function createDisk(story: Story, now: () => number): Disk {
  const troubles: { from: number; to: number }[] = [];
  let state: DiskState = 'fine';
  return {
    get state() {
      return state;
    },
    become: (next) => {
      const last = troubles.at(-1);
      if (state !== 'fine' && last) last.to = now();
      if (next !== 'fine') troubles.push({ from: now(), to: Number.POSITIVE_INFINITY });
      state = next;
    },
    refusedAll: (from, to) => troubles.some((trouble) => trouble.from <= from && to <= trouble.to),
    content: undefined,
    stamp: 0,
    drafts: new Set(),
    watchers: new Set(),
    onWrite: () => undefined,
    story,
  };
}

export function recordOn(disk: Disk): ConnectionRecord | undefined {
  const found = contentOf(disk);
  return found.kind === 'record' ? found.record : undefined;
}

/** Read and checked once for each content, although each process has to do that for itself: a matter of speed. */
function contentOf(disk: Disk): FileContent {
  if (disk.parsed?.stamp !== disk.stamp) {
    const found: FileContent = disk.content === undefined ? { kind: 'absent' } : parseRecord(JSON.parse(disk.content));
    disk.parsed = { stamp: disk.stamp, found };
  }
  return disk.parsed.found;
}

/** What a real disk says in this state, or nothing. */
export function refusal(disk: Disk, doing: 'write' | 'lock'): Error | undefined {
  const code = { fine: undefined, full: 'ENOSPC', 'read-only': 'EROFS' }[disk.state];
  return code === undefined ? undefined : unreadable(doing, path, Object.assign(new Error(code), { code }));
}

let nextDraft = 0;

/** The record's file as one process sees it. */
export function openRecordFile(disk: Disk, process: SimulatedProcess, chance: Chance): RecordFile {
  const write = async (record: ConnectionRecord, requireLock: () => void) => {
    const draft = nextDraft++;
    await process.later(chance.between(0.5, 5), 'a draft is written', () => {
      const refused = refusal(disk, 'write');
      if (refused) throw refused;
      requireLock();
      disk.drafts.add(draft);
    });
    await process.later(chance.between(0.5, 10), 'the draft is renamed', () => {
      if (!disk.drafts.delete(draft)) throw unreadable('write', path, new Error('ENOENT'));
      const before = recordOn(disk);
      disk.content = JSON.stringify(record);
      disk.stamp += 1;
      disk.onWrite(record, before, process);
      for (const tell of disk.watchers) tell();
    });
    await process.later(chance.between(0.5, 10), 'the folder is flushed', () => undefined);
  };

  const watch = (changed: () => void) => {
    // Folder watching is an accelerator that may miss things.
    const tell = () => {
      if (chance.happens(0.9)) process.soon(chance.between(1, 30), 'the folder changed', changed);
    };
    const end = () => disk.watchers.delete(tell);
    disk.watchers.add(tell);
    process.onDeath(end);
    return end;
  };

  return {
    path,
    stamp: () => Promise.resolve(disk.content === undefined ? undefined : String(disk.stamp)),
    read: () => contentOf(disk),
    write,
    moveAside: () => {
      throw new Error('a record was damaged, which nothing in a simulation does');
    },
    makeFolder: () => undefined,
    sweepDrafts: () => disk.drafts.clear(),
    watch,
  };
}
