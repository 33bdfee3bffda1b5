import { readdirSync, readFileSync } from 'node:fs';

const megabyte = 1024 * 1024;

/** User and system time of all threads of a process so far, ms; undefined where Linux does not tell. */
export function cpuTimeOf(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  // The ticks of /proc/PID/stat are too coarse for a round of short calls; the scheduler counts nanoseconds.
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [running] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(running) / 1_000_000;
  });
  return threads.reduce((total, time) => total + time, 0);
}

/** The resident memory of a process, MB; undefined where Linux does not tell. */
export function residentMemoryOf(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kilobytes) * 1024) / megabyte;
}
