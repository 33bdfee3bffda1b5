import { describe, expect, test } from 'vitest';
import { contendSimulatedLock } from './simulation/contended-lock.ts';
import { type Run, runAll } from './simulation/pool.ts';
import type { RunOptions } from './simulation/run.ts';
import { addUp } from './simulation/totals.ts';
import { describeLock } from './support/lock-contract.ts';

// Many processes over simulated weeks (product.md 2, 5 to 7); `npm run simulate` runs longer. docs/reliability.md says
// what is real in it and what is not.

// Otherwise what holds in the simulation would say nothing about the product.
describeLock('the simulated lock', contendSimulatedLock);

const rotations = ['lenient', 'strict'] as const;
const seeds = [1, 2, 3, 4, 5, 6];

/** What the simulation is made for: where one of these never came, a run shows nothing about it. */
const moments = [
  'processes struck: a refresh under way',
  'processes struck: the disk being written',
  'processes struck: the lock',
  'processes struck: a sign-in being prepared',
  'locks taken from a process that lives',
  'answers that the disk did not take at once',
  'answers that waited for longer than a minute to be read',
  'sign-ins taken over',
];

async function runInTest(jobs: RunOptions[]): Promise<Run[]> {
  const runs: Run[] = [];
  await runAll(jobs, { side: 2, onRun: (run) => runs.push(run) });
  return runs;
}

describe.each(rotations)('six processes at a %s server', (rotation) => {
  test('lose no grant in ten days that a perfect client would have kept, and recover after the last fault', async () => {
    const runs = await runInTest(seeds.map((seed) => ({ seed, rotation, days: 10, bridges: 6 })));
    const broken = runs.flatMap(({ options: { seed }, result }) =>
      result.violations.map((one) => `seed ${seed}: ${one}`),
    );
    expect(broken).toEqual([]);
    const totals = addUp(runs, rotation);
    // What nothing happened in proves nothing.
    expect(totals.refreshes).toBeGreaterThan(300);
    for (const moment of moments) expect(totals.passed[moment], moment).toBeGreaterThan(0);
    expect(totals).toMatchObject({ runs: seeds.length, avoidable: 0, deadTokensSent: 0 });
  }, 300_000);
});

test('a seed replays exactly, and another tells another story', async () => {
  const options = { rotation: 'strict', days: 3, bridges: 6, tell: true } as const;
  const runs = await runInTest([7, 7, 8].map((seed) => ({ ...options, seed })));
  const [first, second, other] = runs
    .sort((one, another) => one.options.seed - another.options.seed)
    .map(({ result }) => result.story.join('\n'));
  expect(first?.length).toBeGreaterThan(10_000);
  expect(second).toBe(first);
  expect(other).not.toBe(first);
}, 300_000);
