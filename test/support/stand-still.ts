import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** SIGSTOP to a process of ours; resolves once it stands still. */
export async function standStill(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await setImmediate();
}
