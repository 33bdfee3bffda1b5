import { inColumns } from '../support/columns.ts';
import type { Report } from './scenario.ts';

const columns = ['calls', 'failed', 'told', 'tabs', 'refreshes', 'expiries', 'tokenFaults'] as const;

/** One line for each scenario at each server; runs of the same one are added up. */
export function tableOf(reports: readonly Report[]): string {
  const runs = new Map<string, Report[]>();
  for (const report of reports) {
    const name = `${report.title}\n${report.make}`;
    runs.set(name, [...(runs.get(name) ?? []), report]);
  }
  const rows = [...runs.values()].map((same) => {
    const [{ title, make }] = same as [Report];
    const sums = columns.map((column) => String(same.reduce((sum, report) => sum + report[column], 0)));
    const kept = same.filter(({ broken }) => broken.length === 0).length;
    const verdict = `${kept === same.length ? 'kept' : 'BROKEN'}${same.length > 1 ? ` ${kept} of ${same.length}` : ''}`;
    return [`six bridges ${title}`, make, ...sums, verdict];
  });
  const head = [
    'scenario',
    'mode',
    'calls',
    'failed',
    'told',
    'tabs',
    'refreshes',
    'expiries',
    'token faults',
    'verdict',
  ];
  return inColumns([head, ...rows]);
}
