import { relayed } from './calls.ts';
import { type Busy, perform, type Row } from './experiment.ts';
import { type Goal, goalsOf } from './goals.ts';
import { installed } from './installed.ts';
import { type Machine, machineOf } from './machine.ts';
import { memory } from './memory.ts';
import { type Outcome, outcomeOf, titleOf } from './outcome.ts';
import type { Plan } from './plan.ts';
import { openStage, type StageOptions } from './stage.ts';
import { starts } from './starts.ts';

export interface Benchmark {
  machine: Machine;
  plan: Plan;
  outcomes: Outcome[];
  goals: Goal[];
  busy: Busy[];
}

interface BenchmarkOptions extends StageOptions {
  plan: Plan;
  /** The rows with this in their title or key; what gives none of them is not run. */
  only: string;
  tell(news: string): void;
}

export async function runBenchmark({ plan, only, tell, ...options }: BenchmarkOptions): Promise<Benchmark> {
  const isWanted = (row: Row) => titleOf(row).includes(only) || row.key.includes(only);
  const relaying = relayed(plan);
  const experiments = [starts(plan), ...relaying, memory(plan), installed()].filter(({ rows }) => rows.some(isWanted));
  if (experiments.length === 0) throw new RangeError(`no row has ${JSON.stringify(only)} in its title or key`);
  const machine = machineOf();
  const stage = await openStage(options);
  const outcomes: Outcome[] = [];
  const busy: Busy[] = [];
  try {
    for (const experiment of experiments) {
      const [first] = experiment.rows;
      const result = await perform(experiment, stage, (round) =>
        tell(`${first?.title}: round ${round + 1} of ${experiment.rounds}`),
      );
      outcomes.push(...result.measured.filter(({ row }) => isWanted(row)).map(outcomeOf));
      if (relaying.includes(experiment)) busy.push(...result.busy);
    }
  } finally {
    await stage.close();
  }
  return { machine, plan, outcomes, goals: goalsOf(outcomes), busy };
}
