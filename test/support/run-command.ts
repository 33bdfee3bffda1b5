import { spawn } from 'node:child_process';
import { builtBridge, type Ended, type Home, strippedEnvironment } from './spawn-client.ts';

/** A command of the built bridge that runs on its own, with its output collected. */
export interface RunningCommand {
  pid: number;
  write(text: string): void;
  endInput(): void;
  kill(signal: NodeJS.Signals): void;
  /** Resolves once stdout or stderr holds a match. */
  shows(pattern: RegExp): Promise<string>;
  ended: Promise<Ended>;
}

export function runCommand(home: Home, args: string[], env: Record<string, string> = {}): RunningCommand {
  const child = spawn(process.execPath, [builtBridge, ...args], {
    env: { ...strippedEnvironment(home), ...env },
    cwd: '/',
  });
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
      for (const watcher of watchers) watcher();
    });
  }
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => {
      resolve({ code, signal, ...output });
      for (const watcher of watchers) watcher();
    });
  });
  const shows = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
        if (found) resolve(found[0]);
        else if (child.exitCode !== null)
          reject(new Error(`ended without ${pattern}: ${output.stdout}${output.stderr}`));
        else return;
        watchers.delete(look);
      };
      watchers.add(look);
      look();
    });
  return {
    pid: child.pid as number,
    write: (text) => void child.stdin.write(text),
    endInput: () => void child.stdin.end(),
    kill: (signal) => void child.kill(signal),
    shows,
    ended,
  };
}
