import type { Run } from './pool.ts';
import type { Rotation } from './server.ts';
import type { Figures } from './watch.ts';

export interface Totals extends Figures {
  runs: number;
  violations: number;
}

/** Adds up what the runs at servers of one kind have shown. */
export function addUp(runs: readonly Run[], rotation: Rotation): Totals {
  const mine = runs.filter(({ options }) => options.rotation === rotation);
  const sum = (of: (figures: Figures) => number) => mine.reduce((total, { result }) => total + of(result.figures), 0);
  const sumUp = (of: (figures: Figures) => Record<string, number>) => {
    const total: Record<string, number> = {};
    for (const { result } of mine)
      for (const [name, times] of Object.entries(of(result.figures))) total[name] = (total[name] ?? 0) + times;
    return total;
  };
  return {
    runs: mine.length,
    violations: mine.reduce((total, { result }) => total + result.violations.length, 0),
    refreshes: sum((figures) => figures.refreshes),
    expiries: sum((figures) => figures.expiries),
    tabs: sum((figures) => figures.tabs),
    calls: sum((figures) => figures.calls),
    answered: sum((figures) => figures.answered),
    deadTokensSent: sum((figures) => figures.deadTokensSent),
    ahead: sum((figures) => figures.ahead),
    metAStopped: sum((figures) => figures.metAStopped),
    avoidable: sum((figures) => figures.avoidable),
    lossesByWhy: sumUp((figures) => figures.lossesByWhy),
    passed: sumUp((figures) => figures.passed),
  };
}

/** The figures as a person reads them. */
export function describeTotals(totals: Totals, rotation: Rotation, days: number): string {
  const losses = Object.entries(totals.lossesByWhy).sort((one, other) => other[1] - one[1]);
  const unavoidable = losses.reduce((total, [, times]) => total + times, 0) - totals.avoidable;
  const years = ((totals.runs * days) / 365).toFixed(1);
  const rows: [string, string | number][] = [
    ['promises broken', totals.violations],
    ['grants lost avoidably', totals.avoidable],
    ['grants lost unavoidably', unavoidable],
    ...losses.map(([why, times]): [string, number] => [`  ${why}`, times]),
    ['browser tabs', totals.tabs],
    ['refresh requests', totals.refreshes],
    ['refresh requests per expiry', (totals.refreshes / totals.expiries).toFixed(3)],
    ['  for a token that had time left', totals.ahead],
    ['  that met one of a stopped process', totals.metAStopped],
    ['dead tokens sent', totals.deadTokensSent],
    ['tool calls', totals.calls],
    ['  answered at once or after waiting', `${((100 * totals.answered) / totals.calls).toFixed(1)} %`],
    ['moments that were passed through', ''],
    ...Object.entries(totals.passed).map(([name, times]): [string, number] => [`  ${name}`, times]),
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(72)}${String(value).padStart(9)}`);
  return [`${rotation} rotation: ${totals.runs} runs of ${days} days (${years} years)`, ...lines, ''].join('\n');
}
