import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Run, runAll } from './pool.ts';
import type { RunOptions } from './run.ts';
import type { Rotation } from './server.ts';
import { addUp, describeTotals } from './totals.ts';

const usage = `npm run simulate -- [OPTIONS]

  --seeds N         how many seeds (default 20)
  --from N          the first seed (default 1)
  --days N          simulated days of each run (default 30)
  --bridges N       processes side by side (default 6)
  --rotation RULE   strict, lenient, or both (default)
  --workers N       runs side by side (default: one for each core)
  --story           tell what happened, too: with --seeds 1 --from SEED --rotation RULE

An interrupt (Ctrl-C) ends it with the figures so far.
`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    days: { type: 'string', default: '30' },
    bridges: { type: 'string', default: '6' },
    rotation: { type: 'string', default: 'both' },
    workers: { type: 'string', default: String(availableParallelism()) },
    story: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const whole = (name: 'seeds' | 'from' | 'days' | 'bridges' | 'workers') => {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 1) throw new RangeError(`--${name} wants a whole number from 1 on`);
  return number;
};

function rotations(): Rotation[] {
  if (values.rotation === 'both') return ['strict', 'lenient'];
  if (values.rotation === 'strict' || values.rotation === 'lenient') return [values.rotation];
  throw new RangeError('--rotation wants strict, lenient or both');
}

function jobs(): RunOptions[] {
  const seeds = Array.from({ length: whole('seeds') }, (_, index) => whole('from') + index);
  const common = { days: whole('days'), bridges: whole('bridges'), tell: values.story };
  return seeds.flatMap((seed) => rotations().map((rotation) => ({ seed, rotation, ...common })));
}

const print = (text: string) => void process.stdout.write(`${text}\n`);

function report({ options: { seed, rotation, days }, result }: Run): void {
  const how = `--rotation ${rotation} --days ${days} --bridges ${whole('bridges')}`;
  const replay = `npm run simulate -- --seeds 1 --from ${seed} ${how} --story`;
  if (values.story) print(result.story.join('\n'));
  for (const broken of result.violations) print(`seed ${seed}, ${rotation}: ${broken}\n  replay: ${replay}`);
}

async function main(): Promise<void> {
  if (values.help) return print(usage);
  const all = jobs();
  const runs: Run[] = [];
  const began = performance.now();
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  const onRun = (run: Run) => {
    runs.push(run);
    report(run);
    if (process.stderr.isTTY) process.stderr.write(`\r${runs.length} of ${all.length} runs`);
  };
  await runAll(all, { side: Math.min(whole('workers'), all.length), onRun, stop: interrupted.signal });
  if (process.stderr.isTTY) process.stderr.write('\r\n');
  for (const rotation of rotations()) print(describeTotals(addUp(runs, rotation), rotation, whole('days')));
  print(`${runs.length} of ${all.length} runs in ${Math.round((performance.now() - began) / 1000)} s`);
  if (runs.some(({ result }) => result.violations.length > 0)) process.exitCode = 1;
}

await main();
