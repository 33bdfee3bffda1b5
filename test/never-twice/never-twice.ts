// One bridge for each seed, and whatever may happen to its calls: npm run never-twice [-- --runs N --seed S]
import { parseArgs } from 'node:util';
import { type Played, play } from './play.ts';
import { tableOf } from './table.ts';

const { values } = parseArgs({
  options: {
    /** How many bridges, each with a seed of its own. */
    runs: { type: 'string', default: '30' },
    /** The first seed. */
    seed: { type: 'string', default: '1' },
    /** Bridges side by side: most of the time they wait. */
    jobs: { type: 'string', default: '4' },
    /** Tell what happened although nothing broke. */
    story: { type: 'boolean', default: false },
  },
});
const first = Number(values.seed);
const seeds = Array.from({ length: Number(values.runs) }, (_, index) => first + index);
const waiting = [...seeds];
const all: Played[] = [];
const began = performance.now();

const work = async () => {
  for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
    const played = await play(seed);
    all.push(played);
    report(played);
  }
};
await Promise.all(Array.from({ length: Number(values.jobs) }, work));

function report({ seed, broken, fates, story }: Played): void {
  process.stderr.write(`seed ${seed}: ${fates.length} calls, ${broken.length === 0 ? 'kept' : 'BROKEN'}\n`);
  if (values.story || broken.length > 0) process.stdout.write(`\nthe story of seed ${seed}:\n${story.join('\n')}\n`);
  for (const what of broken) process.stdout.write(`seed ${seed}: ${what}\n`);
  if (broken.length > 0) process.stdout.write(`  replay: npm run never-twice -- --runs 1 --seed ${seed} --story\n`);
}

const broken = all.flatMap((played) => played.broken);
const fates = all.flatMap((played) => played.fates);
process.stdout.write(`\n${tableOf(fates)}\n\n${fates.length} calls, ${broken.length} promises broken, `);
process.stdout.write(`${all.length} bridges in ${Math.round((performance.now() - began) / 1000)} s\n`);
process.exit(broken.length === 0 ? 0 : 1);
