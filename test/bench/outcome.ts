import type { Measured, Row } from './experiment.ts';
import { type Summary, summarize } from './statistics.ts';
import type { SubjectName } from './subjects.ts';

/** A row with the figures of all rounds, and what they come to. */
export interface Outcome extends Measured {
  /** `undefined` where this machine does not tell; absent where it makes no sense. */
  summaries: Partial<Record<SubjectName, Summary | undefined>>;
}

export const subjectNames: readonly SubjectName[] = ['bridge', 'before', 'mcp-remote', 'direct', 'bare Node'];

export function outcomeOf(measured: Measured): Outcome {
  const summaries = Object.fromEntries(
    Object.entries(measured.figures).map(([subject, figures]) => [subject, summarize(figures)]),
  );
  return { ...measured, summaries };
}

/** The bridge's median, in times of another's. */
export function ratioOf({ summaries }: Outcome, other: SubjectName): number | undefined {
  const [mine, theirs] = [summaries.bridge?.median, summaries[other]?.median];
  return mine === undefined || theirs === undefined || theirs === 0 ? undefined : mine / theirs;
}

/** Three digits say what a benchmark can. */
export function figureOf(value: number): string {
  if (Number.isInteger(value) || value >= 100) return String(Math.round(value));
  return value.toPrecision(value < 0.01 ? 1 : value < 1 ? 2 : 3);
}

export function titleOf({ title, unit }: Row): string {
  return unit === '' ? title : `${title} (${unit})`;
}
