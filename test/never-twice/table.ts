import type { Fate } from './fate.ts';

const columns = ['calls', 'done', 'unknown', 'refused', 'given up', 'writes', 'executed', 'most', 'arrivals'] as const;
type Figures = Record<(typeof columns)[number], number>;

/** One line for each trouble, and one for each kind of tool. */
export function tableOf(fates: readonly Fate[]): string {
  const troubles = [...new Set(fates.map(titleOf))].sort();
  const tools = [...new Set(fates.map(({ tool }) => tool))].sort();
  const rows: [string, Figures][] = [
    ...troubles.map((title): [string, Figures] => [title, figuresOf(fates.filter((fate) => titleOf(fate) === title))]),
    ...tools.map((name): [string, Figures] => [
      `all calls of ${name}`,
      figuresOf(fates.filter(({ tool }) => tool === name)),
    ]),
    ['all calls', figuresOf(fates)],
  ];
  const width = Math.max(...rows.map(([title]) => title.length));
  const line = (title: string, cells: readonly unknown[]) =>
    [title.padEnd(width), ...cells.map((cell, index) => String(cell).padStart(columns[index]?.length ?? 0))].join('  ');
  return [
    line('trouble', columns),
    ...rows.map(([title, figures]) =>
      line(
        title,
        columns.map((name) => figures[name]),
      ),
    ),
  ].join('\n');
}

function titleOf({ troubles: [title = 'nothing', ...others] }: Fate): string {
  return others.length === 0 ? title : 'several of them at once';
}

function figuresOf(fates: readonly Fate[]): Figures {
  const told = (what: Fate['told']) => fates.filter((fate) => fate.told === what).length;
  const writes = fates.filter(({ tool }) => tool === 'write');
  const executions = writes.map((fate) => fate.executions);
  return {
    calls: fates.length,
    done: told('done'),
    unknown: told('unknown'),
    refused: told('refused'),
    'given up': told('given up'),
    writes: writes.length,
    executed: executions.reduce((sum, times) => sum + times, 0),
    most: Math.max(0, ...executions),
    arrivals: fates.reduce((sum, fate) => sum + fate.arrivals, 0),
  };
}
