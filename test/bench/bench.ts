import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runBenchmark } from './benchmark.ts';
import { chartOf } from './chart.ts';
import type { Busy } from './experiment.ts';
import { describeMachine } from './machine.ts';
import { full, short } from './plan.ts';
import { goalsTable, tableOf } from './table.ts';

const usage = `npm run bench -- [OPTIONS]

This bridge, npm mcp-remote and a direct SDK client, side by side at the embedded upstream (docs/performance.md).

  --only ROW    the rows with this in their title or key, such as 'memory' or 'large-p50'
  --short       once through everything, in seconds; its figures say little
  --json FILE   every figure of every round, for machines
  --svg FILE    a chart of the main rows
  --before FILE the cli.js of another build of the bridge, measured in the same run
  --profile DIR profiles of the bridge, of CPU time and of allocations; it is slower then
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
    svg: { type: 'string' },
    before: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

/** Whether one of the two that no subject can do without stood in the way. The direct client is in the measuring process. */
function busiest(busy: readonly Busy[], who: 'measuring' | 'upstream'): string {
  const shares = busy.filter(({ subject }) => who === 'upstream' || subject !== 'direct');
  const [most] = shares.toSorted((one, other) => other[who] - one[who]);
  if (!most || Number.isNaN(most[who])) return 'n/a';
  return `at most ${Math.round(most[who] * 100)} % of a core (${most.subject}, ${most.rows[0]})`;
}

const print = (text: string) => void process.stdout.write(`${text}\n`);
const benchmark = await runBenchmark({
  plan: values.short ? short : full,
  only: values.only,
  before: values.before,
  profiles: values.profile,
  tell: (news) => process.stderr.write(`${news}\n`),
});
const { machine, outcomes, goals, busy } = benchmark;
print(`${describeMachine(machine)}\n`);
print(tableOf(outcomes));
print('\nMedian of the rounds, with the least and the most; x: the bridge in times of the other.');
print(`While calls were relayed, the measuring process was busy for ${busiest(busy, 'measuring')},`);
print(`and the upstream for ${busiest(busy, 'upstream')}.`);
if (goals.length > 0) print(`\n${goalsTable(goals)}`);
if (values.json) await writeFile(values.json, `${JSON.stringify(benchmark, undefined, 2)}\n`);
if (values.svg) await writeFile(values.svg, chartOf(benchmark));
