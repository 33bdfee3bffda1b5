import { expect, test } from 'vitest';
import { planOf, seedsForAll } from './never-twice/plan.ts';
import { play } from './never-twice/play.ts';
import { requestFaults } from './never-twice/request-faults.ts';
import { tableOf } from './never-twice/table.ts';
import { upheavals } from './never-twice/upheavals.ts';
import { waits } from './never-twice/waits.ts';

// Calls side by side, and whatever may happen to them, by chance (P8); `npm run never-twice` plays thousands.

test('no change is made twice or after it was given up, and what the client is told of it is true', async () => {
  const seeds = Array.from({ length: seedsForAll }, (_, index) => index + 1);
  const all = await Promise.all(seeds.map(play));
  for (const { seed, broken, story } of all) {
    if (broken.length === 0) continue;
    console.error(`npm run never-twice -- --runs 1 --seed ${seed} --story\n${story.join('\n')}`);
  }
  expect(all.flatMap(({ broken }) => broken)).toEqual([]);

  // What nothing happened in proves nothing.
  const fates = all.flatMap((played) => played.fates);
  const met = new Set(fates.flatMap(({ troubles }) => troubles));
  const troubles = [...requestFaults, ...upheavals, ...waits];
  expect(troubles.map(({ title }) => title).filter((title) => !met.has(title))).toEqual([]);
  const writes = fates.filter(({ tool }) => tool === 'write');
  for (const told of ['done', 'unknown', 'refused', 'given up'])
    expect(writes.filter((fate) => fate.told === told).length, tableOf(fates)).toBeGreaterThan(0);
}, 180_000);

test('a seed holds the same troubles and moments each time, and another one others', () => {
  expect(planOf(7)).toEqual(planOf(7));
  expect(planOf(7)).not.toEqual(planOf(8));
});
