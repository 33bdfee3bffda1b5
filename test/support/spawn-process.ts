import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Question, Verbs } from './answer-parent.ts';
import { standStill } from './stand-still.ts';

/** A real process that runs a script and does what it is asked. */
export interface OtherProcess<V extends Verbs> {
  readonly pid: number;
  /** Rejects with an error of the same `code` as in that process, or when the process ends first. */
  ask<N extends keyof V & string>(verb: N, ...args: Parameters<V[N]>): Promise<Awaited<ReturnType<V[N]>>>;
  /** SIGSTOP; resolves once it stands still. */
  stop(): Promise<void>;
  resume(): void;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
}

/** Resolves once the script, which calls `answerParent`, is there to be asked. */
export async function spawnProcess<V extends Verbs>(script: URL, ...args: string[]): Promise<OtherProcess<V>> {
  const child = fork(fileURLToPath(script), args, {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const questions = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  const ready = new Promise<void>((resolve, reject) => {
    questions.set(0, { resolve: resolve as () => void, reject });
  });
  child.on('message', ({ id, value, error }: Answer) => {
    const question = questions.get(id);
    questions.delete(id);
    if (error) question?.reject(Object.assign(new Error(error.message), { code: error.code }));
    else question?.resolve(value as never);
  });
  child.on('exit', () => {
    for (const { reject } of questions.values()) reject(new Error(`${script} ended`));
  });
  await ready;
  let last = 0;
  return {
    pid: child.pid as number,
    ask: (verb, ...asked) => {
      last += 1;
      const id = last;
      const answered = new Promise<never>((resolve, reject) => questions.set(id, { resolve, reject }));
      answered.catch(() => {});
      child.send({ id, verb, args: asked } satisfies Question);
      return answered;
    },
    stop: () => standStill(child.pid as number),
    resume: () => void child.kill('SIGCONT'),
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
