import { execFileSync, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { builtBridge, type Home, strippedEnvironment } from './spawn-client.ts';

/** A command of the built bridge on a pseudo-terminal, as a person sees and types it. */
export interface TerminalSession {
  /** Resolves with the match once the screen has shown one. */
  shows(pattern: RegExp): Promise<string>;
  type(text: string): void;
  /** Everything that was written to the terminal, control sequences included. */
  ended: Promise<{ code: number | null; screen: string }>;
}

/** True where `script` of util-linux is there to make a pseudo-terminal. */
export function hasTerminals(): boolean {
  try {
    return execFileSync('/usr/bin/script', ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

export function onTerminal(home: Home, args: string[], env: Record<string, string> = {}): TerminalSession {
  const quoted = [process.execPath, builtBridge, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('/usr/bin/script', ['--quiet', '--flush', '--return', '--command', quoted, '/dev/null'], {
    env: { ...strippedEnvironment(home), SHELL: '/bin/sh', ...env },
    cwd: '/',
  });
  let screen = '';
  const watchers = new Set<() => void>();
  const tell = () => {
    for (const watcher of [...watchers]) watcher();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      screen += chunk.toString();
      tell();
    });
  }
  let over = false;
  const ended = new Promise<{ code: number | null; screen: string }>((resolve) => {
    child.on('close', (code) => {
      over = true;
      resolve({ code, screen });
      tell();
    });
  });
  onTestFinished(() => {
    if (!over) child.kill('SIGTERM');
  });
  const shows = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(screen)?.[0];
        if (found !== undefined) resolve(found);
        else if (over) reject(new Error(`ended without ${pattern}: ${screen}`));
        else return;
        watchers.delete(look);
      };
      watchers.add(look);
      look();
    });
  return { shows, type: (text) => void child.stdin.write(text), ended };
}
