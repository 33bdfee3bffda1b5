import { readFileSync } from 'node:fs';

/** Memory of a process, bytes: now, or the most that it ever had. Linux only. */
export function memoryOf(pid: number, which: 'now' | 'most'): number {
  const name = which === 'now' ? 'VmRSS' : 'VmHWM';
  const [, kilobytes] =
    new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kilobytes === undefined) throw new Error(`could not find ${name} of process ${pid}`);
  return Number(kilobytes) * 1024;
}
