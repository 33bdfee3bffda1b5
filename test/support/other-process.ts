import { onTestFinished } from 'vitest';
import type { Verbs } from './answer-parent.ts';
import { type OtherProcess, spawnProcess } from './spawn-process.ts';

/** A script of this folder as a process of its own; gone with the test. */
export async function startProcess<V extends Verbs>(script: string, ...args: string[]): Promise<OtherProcess<V>> {
  const other = await spawnProcess<V>(new URL(`./${script}.ts`, import.meta.url), ...args);
  onTestFinished(() => other.kill());
  return other;
}
