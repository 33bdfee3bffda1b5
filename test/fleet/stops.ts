import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../support/fleet.ts';
import type { Excuse } from '../support/fleet-ledger.ts';
import { all, both, type Scenario } from './scenario.ts';

/** SIGSTOP in the middle of a refresh, as sleep does it (product.md 5, 6.2): the lock may be lost, the answer may not. */
export const stops: Scenario[] = [
  {
    title: 'one of which stands still in the middle of its refresh wait for its answer',
    makes: both,
    play: (fleet, { stop }) => standStill(fleet, 'one', stop),
  },
  {
    title: 'that all stand still in the middle of a refresh wake to its answer',
    makes: all,
    // The answer that must not be lost is that of a strict server.
    times: ({ suspensions }, make) => (make === 'strict' ? suspensions : 1),
    play: (fleet, { stop }) => standStill(fleet, 'all', stop),
  },
  {
    title: 'one of which stands still for longer than its refresh may take bring its answer home',
    makes: both,
    fullOnly: true,
    play: (fleet) => standStill(fleet, 'one', 65_000),
  },
  {
    title: 'that all stand still for longer than a refresh may take wake to its answer',
    makes: all,
    fullOnly: true,
    play: (fleet) => standStill(fleet, 'all', 65_000),
  },
];

/** The answer of the refresh reaches a process that does not run, and waits in its socket. */
async function standStill(fleet: Fleet, who: 'one' | 'all', ms: number): Promise<void> {
  // Whoever waits for one that stands still hears after 30 s that this takes too long (product.md 4).
  const may: Excuse[] = ms > 30_000 ? ['network trouble'] : [];
  const { sender, owner, calls, release } = await fleet.refreshUnderWay({ handled: true, may });
  const still = who === 'one' ? [sender] : fleet.members;
  await fleet.stop(still);
  release();
  // Time itself is the point: a lock without a heartbeat is stale after 5 s.
  await sleep(ms);
  const wasRobbed = (await fleet.home.files()).some((file) => file.includes(`.lock.grave-${owner.nonce}`));
  // Nobody who could is awake to rob a lock when all stand still.
  fleet.demand('the lock was taken away, or kept', wasRobbed === (who === 'one'));
  fleet.wake(still);
  await calls;
  await fleet.everybody();
  fleet.demand('there was one refresh', fleet.counts().refreshes === 1);
}
