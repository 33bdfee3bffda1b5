import { type ChildProcess, fork } from 'node:child_process';
import type { RunOptions, RunResult } from './run.ts';

export interface Run {
  options: RunOptions;
  result: RunResult;
}

interface PoolOptions {
  /** How many runs at a time, each in a process of its own. */
  side: number;
  onRun(run: Run): void;
  /** No further run is begun. */
  stop?: AbortSignal;
}

/** Runs all, and hands on each result as it comes. */
export async function runAll(jobs: Iterable<RunOptions>, { side, onRun, stop }: PoolOptions): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  const work = async () => {
    const worker = fork(new URL('./worker.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
    try {
      for (let next = queue.next(); !next.done && !stop?.aborted; next = queue.next()) {
        onRun({ options: next.value, result: await ask(worker, next.value) });
      }
    } finally {
      worker.disconnect();
    }
  };
  await Promise.all(Array.from({ length: side }, work));
}

function ask(worker: ChildProcess, options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const failed = () => reject(new Error(`seed ${options.seed} (${options.rotation}) ended its process`));
    worker.once('exit', failed);
    worker.once('message', (result: RunResult) => {
      worker.off('exit', failed);
      resolve(result);
    });
    worker.send(options);
  });
}
