import { answersTo, bound, type Call } from './call.ts';
import type { Tool } from './plan.ts';
import type { Told, Trouble, Upheaval } from './trouble.ts';
import type { World } from './world.ts';

/** What became of one request. */
export interface Fate {
  /** Their titles. */
  troubles: readonly string[];
  tool: Tool;
  told: Told | 'given up';
  executions: number;
  /** How often it came to the server. */
  arrivals: number;
  /** What was promised and did not hold, in sentences. */
  broken: string[];
}

/** To be asked when nothing more can come of it. */
export function fateOf(world: World, call: Call, upheavals: readonly Upheaval[]): Fate {
  const { key, tool, meets } = call.planned;
  const executions = world.executions(tool, key);
  const arrivals = world.arrivals(tool, key);
  const troubles: Trouble[] = [...upheavals, ...(meets ? [meets] : [])];
  const seen: Seen = { call, executions, arrivals, answers: answersTo(world, key).length };
  const broken = [
    ...wrongExecutions(seen),
    ...(call.givenUp ? wrongAfterGivingUp(seen, call.givenUp) : wrongAnswer(seen, troubles)),
    ...(call.told === 'unknown' && arrivals === 0 && !upheavals.some(({ unread }) => unread)
      ? ['was told that its outcome is unknown, and never came to the server']
      : []),
  ];
  return {
    troubles: troubles.map(({ title }) => title),
    tool,
    told: call.givenUp && call.told === 'nothing' ? 'given up' : call.told,
    executions,
    arrivals,
    broken: broken.map((what) => `${tool} ${key} ${what}`),
  };
}

interface Seen {
  call: Call;
  executions: number;
  arrivals: number;
  answers: number;
}

function wrongExecutions({ call: { planned, told, code }, executions }: Seen): string[] {
  const isChange = planned.tool === 'write';
  return [
    ...(isChange && executions > 1 ? [`was executed ${executions} times`] : []),
    ...(told === 'done' && executions === 0 ? ['was told to be done, and was never executed'] : []),
    ...(isChange && told === 'refused' && executions > 0
      ? [`was told to have failed (${code}), and was executed`]
      : []),
  ];
}

function wrongAfterGivingUp({ call, executions, arrivals, answers }: Seen, then: Required<Call>['givenUp']): string[] {
  return [
    ...(arrivals > then.arrivals ? ['was sent after it had been given up'] : []),
    ...(answers > then.answers ? ['was answered after it had been given up'] : []),
    ...(call.planned.givenUp === 'waiting' && executions > 0
      ? ['was executed although it was given up while it waited']
      : []),
  ];
}

function wrongAnswer({ call, answers }: Seen, troubles: readonly Trouble[]): string[] {
  const { planned, told, code } = call;
  const allowed = troubles.flatMap(({ change, safe = ['done'] }) => (planned.tool === 'write' ? change : safe));
  if (troubles.length !== 1) allowed.push('done');
  return [
    ...(answers > 1 ? [`was answered ${answers} times`] : []),
    ...(told === 'nothing' ? [`was not answered within ${bound / 1000} s`] : []),
    ...(told === 'nothing' || allowed.includes(told) ? [] : [`was told: ${code ?? told}`]),
  ];
}
