import { inColumns } from '../support/columns.ts';
import type { Goal } from './goals.ts';
import { figureOf, type Outcome, ratioOf, subjectNames, titleOf } from './outcome.ts';
import type { SubjectName } from './subjects.ts';

const [, ...references] = subjectNames;

/** Medians with the least and the most of the rounds, and the bridge in times of the others. */
export function tableOf(outcomes: readonly Outcome[]): string {
  const hasFigures = (subject: SubjectName) => outcomes.some(({ figures }) => subject in figures);
  const [shown, compared] = [subjectNames.filter(hasFigures), references.filter(hasFigures)];
  const head = ['', ...shown, ...compared.map((name) => `x ${name}`)];
  const rows = outcomes.map((outcome) => [
    titleOf(outcome.row),
    ...shown.map((subject) => cellOf(outcome, subject)),
    ...compared.map((name) => ratioCell(ratioOf(outcome, name))),
  ]);
  return inColumns([head, ...rows], (column) => column > 0);
}

function cellOf({ summaries, figures }: Outcome, subject: SubjectName): string {
  if (!(subject in figures)) return '-';
  const summary = summaries[subject];
  if (!summary) return 'n/a';
  const { median, least, most } = summary;
  const told = figureOf(median);
  return least === most ? told : `${told} (${figureOf(least)}-${figureOf(most)})`;
}

function ratioCell(ratio: number | undefined): string {
  return ratio === undefined ? '-' : `${ratio.toFixed(2)}x`;
}

export function goalsTable(goals: readonly Goal[]): string {
  return inColumns(
    goals.map(({ goal, value, reached }) => [
      goal,
      value === undefined ? 'n/a' : figureOf(value),
      reached ? 'reached' : 'NOT REACHED',
    ]),
    (column) => column === 1,
  );
}
