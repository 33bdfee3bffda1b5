import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../support/fleet.ts';
import type { Excuse } from '../support/fleet-ledger.ts';
import type { Fault } from '../support/upstream/faults.ts';
import { both, type Scenario } from './scenario.ts';

interface Trouble {
  fault: Fault;
  /** Upstream surely did not act, so a change is sent again (P8). */
  isHarmless?: true;
}

const troubles: Record<string, Trouble> = {
  'a lost request': { fault: { kind: 'lose-request' } },
  'a lost response': { fault: { kind: 'lose-response' } },
  'a cut socket': { fault: { kind: 'cut-after-headers' } },
  'a 500': { fault: { kind: 'status', status: 500 } },
  'a 503': { fault: { kind: 'status', status: 503 } },
  'an HTML page': { fault: { kind: 'html' } },
  'a 503 with Retry-After': {
    fault: { kind: 'status', status: 503, headers: { 'retry-after': '1' } },
    isHarmless: true,
  },
  'a 429 with Retry-After': {
    fault: { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
    isHarmless: true,
  },
};

/** Trouble at /mcp itself: reads succeed, and a change is made at most once (P8). */
export const upstreamFaults: Scenario[] = [
  ...Object.entries(troubles).map(
    ([name, { fault, isHarmless }]): Scenario => ({
      title: `whose calls meet ${name} read on, and make no change twice`,
      makes: both,
      play: async (fleet) => {
        meet(fleet, fault, 'notion-search');
        await fleet.everybody();
        meet(fleet, fault, 'notion-create-pages');
        await fleet.everybody({ change: true, may: isHarmless ? [] : ['unknown outcome'] });
      },
    }),
  ),
  {
    title: 'whose server is away for a while work on when it is back',
    makes: both,
    // A change that was under way has an unknown outcome.
    play: (fleet, { outage }) => fleet.steadily(() => away(fleet, outage), { may: ['unknown outcome'] }),
  },
  {
    title: 'whose server is away while their token has ended refresh when it is back',
    makes: both,
    play: async (fleet, { outage }) => {
      await fleet.expire('announced');
      await Promise.all([away(fleet, outage), fleet.everybody()]);
    },
  },
  {
    title: 'whose server is away for longer than a call waits say so, and work when it is back',
    makes: both,
    fullOnly: true,
    play: async (fleet) => {
      await fleet.expire('announced');
      const may: Excuse[] = ['network trouble', 'unknown outcome'];
      await fleet.steadily(() => away(fleet, 45_000), { may });
    },
  },
];

/** Half of the fleet's next calls of this tool meet the fault. */
function meet(fleet: Fleet, fault: Fault, tool: string): void {
  fleet.server.faults.next('mcp', fault, { when: { tool }, times: fleet.members.length / 2 });
}

async function away(fleet: Fleet, ms: number): Promise<void> {
  await fleet.server.embedded.stop();
  // Time itself is the point.
  await sleep(ms);
  await fleet.server.embedded.start();
}
