import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { writeFile } from 'atomically';

export interface WriteOptions {
  /** Absent: what the file has now. */
  mode?: number;
  /** Called once the draft is there, before it counts; may throw. */
  beforeItCounts: () => void;
}

/**
 * One atomic, flushed write. A stream makes atomically write in a loop: given a string it calls write(2) once and would
 * rename a file that a full disk cut short. The folder is flushed, too, so that the rename survives a power cut.
 * @throws system errors
 */
export async function writeWhole(path: string, bytes: Buffer, { mode, beforeItCounts }: WriteOptions): Promise<void> {
  const data = Readable.from([bytes]);
  await writeFile(path, data, { ...(mode !== undefined && { mode }), fsync: true, tmpCreated: beforeItCounts });
  if (process.platform === 'win32') return;
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}
