import type { Connection, Stdio, Surroundings } from '../bridge.ts';
import type { Environment } from '../config.ts';
import type { Ink } from './ink.ts';

/** What every command gets; none of them touches `process`. */
export interface CommandContext extends Surroundings {
  stdio: Stdio;
  environment: Environment;
  machine: { node: string; platform: string; arch: string };
  /** `output`: one that can go back in a line. */
  isTerminal: { input: boolean; output: boolean };
  /** For what is printed. */
  ink: Ink;
  /** Aborts when the person or the system wants us to stop. */
  stop: AbortSignal;
  /** For people, on stdout of commands that are not the server. */
  print(text: string): void;
  openConnection(): Connection;
}

export type ExitCode = 0 | 1 | 2;
export type Command = (context: CommandContext) => Promise<ExitCode>;
