import { cpuTimeOf } from './process-cost.ts';
import type { Stage } from './stage.ts';
import type { SubjectName } from './subjects.ts';

export interface Row {
  /** For machines. */
  key: string;
  title: string;
  unit: 'ms' | 'MB' | 'per second' | '';
  better: 'less' | 'more';
}

/** By the key of a row; undefined where this machine does not tell. */
export type Figures = Record<string, number | undefined>;

/** What gives the figures of some rows. */
export interface Experiment {
  rows: readonly Row[];
  subjects: readonly SubjectName[];
  rounds: number;
  /** Rounds before them that do not count; none by default. */
  warmUps?: number;
  /** One round of one subject. */
  play(subject: SubjectName, stage: Stage): Promise<Figures>;
}

/** How busy others than the subject were during its rounds: shares of one core. */
export interface Busy {
  rows: string[];
  subject: SubjectName;
  measuring: number;
  /** NaN where this machine does not tell. */
  upstream: number;
}

export interface Measured {
  row: Row;
  /** One figure for each round. */
  figures: Partial<Record<SubjectName, (number | undefined)[]>>;
}

/**
 * Every round plays each subject once, so that whatever else the machine does meets all of them; the order turns with
 * every round.
 */
export async function perform(
  { rows, rounds, warmUps = 0, play, ...experiment }: Experiment,
  stage: Stage,
  onRound: (round: number) => void,
): Promise<{ measured: Measured[]; busy: Busy[] }> {
  const subjects = experiment.subjects.filter(stage.isPresent);
  const upstreamTime = () => cpuTimeOf(stage.upstreamPid) ?? Number.NaN;
  const measured = rows.map((row): Measured => ({ row, figures: {} }));
  const costs = new Map(subjects.map((subject) => [subject, { wall: 0, measuring: 0, upstream: 0 }]));
  for (let nth = 0; nth < warmUps; nth += 1) for (const subject of subjects) await play(subject, stage);
  for (let round = 0; round < rounds; round += 1) {
    onRound(round);
    for (const subject of [...subjects.slice(round % subjects.length), ...subjects.slice(0, round % subjects.length)]) {
      const before = { wall: performance.now(), measuring: measuringTime(), upstream: upstreamTime() };
      const figures = await play(subject, stage);
      const cost = costs.get(subject) as { wall: number; measuring: number; upstream: number };
      cost.wall += performance.now() - before.wall;
      cost.measuring += measuringTime() - before.measuring;
      cost.upstream += upstreamTime() - before.upstream;
      for (const { row, figures: known } of measured) {
        if (row.key in figures) known[subject] = [...(known[subject] ?? []), figures[row.key]];
      }
    }
  }
  const keys = rows.map(({ key }) => key);
  const busy = [...costs].map(([subject, { wall, measuring, upstream }]) => ({
    rows: keys,
    subject,
    measuring: measuring / wall,
    upstream: upstream / wall,
  }));
  return { measured, busy };
}

/** CPU time so far, ms. */
function measuringTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
