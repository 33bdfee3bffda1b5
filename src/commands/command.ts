import type { Connection, Stdio, Surroundings } from '../bridge.ts';
import type { Machine } from '../clients/places.ts';
import type { Ink } from './ink.ts';

/** What every command gets; none of them touches `process`. */
export interface CommandContext extends Surroundings {
  stdio: Stdio;
  /** `output`: one that can go back in a line. */
  isTerminal: { input: boolean; output: boolean };
  /** For what is printed. */
  ink: Ink;
  /** Aborts when the person or the system wants us to stop. */
  stop: AbortSignal;
  /** For people, on stdout of commands that are not the server. */
  print(text: string): void;
  /** For people, on stderr: one line, beside what a program may read on stdout. */
  tell(line: string): void;
  machine: Machine & { node: string; arch: string };
  openConnection(): Connection;
}

export type ExitCode = 0 | 1 | 2;
export type Command = (context: CommandContext) => Promise<ExitCode>;
