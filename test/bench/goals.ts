import type { Outcome } from './outcome.ts';
import type { SubjectName } from './subjects.ts';

/** A figure of product.md 12, and what this run says about it. */
export interface Goal {
  goal: string;
  /** Undefined where a figure is missing. */
  value: number | undefined;
  limit: number;
  reached: boolean | undefined;
}

type Medians = (key: string, subject: SubjectName) => number | undefined;

interface Aim {
  goal: string;
  limit: number;
  /** Otherwise the limit is the most that it may be. */
  atLeast?: true;
  value(median: Medians): number | undefined;
}

const ratio = (key: string, other: SubjectName) => (median: Medians) => {
  const [mine, theirs] = [median(key, 'bridge'), median(key, other)];
  return mine === undefined || theirs === undefined ? undefined : mine / theirs;
};
const difference = (one: Parameters<Medians>, other: Parameters<Medians>) => (median: Medians) => {
  const [first, second] = [median(...one), median(...other)];
  return first === undefined || second === undefined ? undefined : first - second;
};
const plain = (key: string) => (median: Medians) => median(key, 'bridge');

const aims: readonly Aim[] = [
  { goal: 'initialize, times bare Node', limit: 1.5, value: ratio('initialize', 'bare Node') },
  { goal: 'initialize, times mcp-remote', limit: 1 / 3, value: ratio('initialize', 'mcp-remote') },
  { goal: 'tools/list, times mcp-remote', limit: 0.5, value: ratio('tools-list', 'mcp-remote') },
  {
    goal: '1 KB call, ms over direct',
    limit: 0.5,
    value: difference(['small-p50', 'bridge'], ['small-p50', 'direct']),
  },
  { goal: '1 MB call, times direct', limit: 1.7, value: ratio('large-p50', 'direct') },
  {
    goal: '1 KB, 32 in flight: calls, times direct',
    limit: 0.9,
    atLeast: true,
    value: ratio('in-flight-small-throughput', 'direct'),
  },
  {
    goal: '1 MB, 32 in flight: calls, times mcp-remote',
    limit: 2.5,
    atLeast: true,
    value: ratio('in-flight-large-throughput', 'mcp-remote'),
  },
  { goal: 'memory at rest, MB', limit: 60, value: plain('memory-at-rest') },
  { goal: 'memory at rest, times mcp-remote', limit: 0.6, value: ratio('memory-at-rest', 'mcp-remote') },
  {
    goal: 'memory after small calls, MB over rest',
    limit: 15,
    value: difference(['memory-after-small', 'bridge'], ['memory-at-rest', 'bridge']),
  },
  { goal: 'memory after large calls, MB', limit: 120, value: plain('memory-after-large') },
  { goal: 'installed, MB', limit: 1, value: plain('installed-size') },
];

/** Of all that this run has figures for. */
export function goalsOf(outcomes: readonly Outcome[]): Goal[] {
  const median: Medians = (key, subject) => outcomes.find(({ row }) => row.key === key)?.summaries[subject]?.median;
  const goals = aims.map(({ goal, limit, atLeast, value: find }): Goal => {
    const value = find(median);
    const reached = value === undefined ? undefined : atLeast ? value >= limit : value <= limit;
    return { goal: `${goal}: ${atLeast ? 'at least' : 'at most'} ${told(limit)}`, value, limit, reached };
  });
  return [...goals, noRowWorse(outcomes)].filter(({ value }) => value !== undefined);
}

function noRowWorse(outcomes: readonly Outcome[]): Goal {
  const worst = outcomes.reduce<number | undefined>((most, { row, summaries }) => {
    const [mine, theirs] = [summaries.bridge?.median, summaries['mcp-remote']?.median];
    if (!mine || !theirs) return most;
    return Math.max(most ?? 0, row.better === 'less' ? mine / theirs : theirs / mine);
  }, undefined);
  const reached = worst === undefined ? undefined : worst <= 1;
  return { goal: 'worse than mcp-remote in no row: at most 1', value: worst, limit: 1, reached };
}

function told(limit: number): string {
  return String(Number(limit.toFixed(2)));
}
