import { describe, expect, test } from 'vitest';
import { canMount } from '../support/mount.ts';
import { all, perform, type Scenario, short } from './scenario.ts';

/** The short form: each scenario once at each server that it is for. */
export function play(scenarios: readonly Scenario[]): void {
  for (const make of all) {
    const played = scenarios.filter(({ fullOnly, makes }) => !fullOnly && makes.includes(make));
    if (played.length === 0) continue;
    describe.concurrent(`six bridges at a server (${make})`, () => {
      for (const scenario of played) {
        test(scenario.title, async (context) => {
          if (scenario.needsMount && !canMount()) context.skip('cannot mount here');
          const { broken } = await perform(scenario, make, short);
          expect(broken).toEqual([]);
        });
      }
    });
  }
}
