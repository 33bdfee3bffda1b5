import { parseArgs } from 'node:util';
import { allScenarios } from './all-scenarios.ts';
import { full, perform, type Report, short } from './scenario.ts';
import { tableOf } from './table.ts';

const usage = `npm run fleet -- [OPTIONS]

Six bridges on one store, and everything that may happen to them, in full.

  --only TEXT   the scenarios with this in their title
  --mode MAKE   lenient, strict or 'of another make' (oidc-provider): at this authorization server only
  --jobs N      fleets side by side (default 6: most of the time they stand still or wait)
  --short       with the short times of npm test

The scenarios:
${allScenarios.map(({ title, makes }) => `  six bridges ${title} (${makes.join(', ')})\n`).join('')}`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    mode: { type: 'string', default: '' },
    jobs: { type: 'string', default: '6' },
    short: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const mostTold = 12;
const pace = values.short ? short : full;
const runs = allScenarios
  .filter(({ title, fullOnly }) => title.includes(values.only) && !(values.short && fullOnly))
  .flatMap((scenario) => scenario.makes.map((make) => ({ scenario, make })))
  .filter(({ make }) => make.startsWith(values.mode))
  .flatMap((run) => Array.from({ length: run.scenario.times?.(pace, run.make) ?? 1 }, () => run));
if (runs.length === 0) throw new Error('there is no such scenario');

const reports: Report[] = [];
const waiting = [...runs.entries()];
const work = async () => {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const [nth, { scenario, make }] = next;
    const report = await perform(scenario, make, pace);
    reports[nth] = report;
    const verdict = report.broken.length === 0 ? 'kept' : 'BROKEN';
    process.stderr.write(`${nth + 1} of ${runs.length}: ${verdict}: ${scenario.title} (${make})\n`);
  }
};
await Promise.all(Array.from({ length: Number(values.jobs) }, work));

process.stdout.write(`${tableOf(reports)}\n`);
for (const { title, make, broken } of reports) {
  if (broken.length === 0) continue;
  const rest = broken.length > mostTold ? [`... ${broken.length - mostTold} more`] : [];
  process.stdout.write(
    `\nsix bridges ${title} (${make}):\n  ${[...broken.slice(0, mostTold), ...rest].join('\n  ')}\n`,
  );
}
process.exit(reports.every(({ broken }) => broken.length === 0) ? 0 : 1);
