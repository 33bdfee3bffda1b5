import { setTimeout as sleep } from 'node:timers/promises';
import { type Fleet, linkBound } from '../support/fleet.ts';
import type { Answer } from '../support/fleet-ledger.ts';
import { ageTokens } from '../support/stored-record.ts';
import { deferred } from '../support/upstream/deferred.ts';
import { takenOver } from './crashes.ts';
import { all, both, type Scenario, signIn } from './scenario.ts';

/** What a call may hear while the person is still to act. */
const withLink = { may: ['link'], bound: linkBound } as const;
const twoTabs = () => 2;

/** The server ended the grant: one tab for all (P5), every call answered (P6), everybody working after the approval (P7). */
export const deadGrants: Scenario[] = [
  {
    title: 'whose grant was revoked share one tab and work on once the person approves',
    makes: all,
    tabs: twoTabs,
    play: async (fleet) => {
      await revoke(fleet);
      const { calls } = await allButOneAnswered(fleet);
      await fleet.approve(2);
      fleet.demand('the one that opened the tab has its result', (await calls).filter(isGood).length === 1);
      fleet.demand('the dead token was presented once', fleet.counts().refreshes === 1);
    },
  },
  {
    title: 'whose registration was deleted share one tab and work on once the person approves',
    makes: both,
    tabs: twoTabs,
    play: async (fleet) => {
      await fleet.server.embedded.deleteClients();
      await fleet.everybody();
      await fleet.expire('announced');
      const { calls } = await allButOneAnswered(fleet);
      await fleet.approve(2);
      await calls;
    },
  },
  {
    title: 'whose person is away for long answer each call with the link to one tab, in which the approval is enough',
    makes: both,
    tabs: twoTabs,
    play: async (fleet, { away }) => {
      await revoke(fleet);
      await fleet.everybody(withLink);
      // Time itself is the point: the person comes back after it.
      await fleet.steadily(() => sleep(away), withLink);
      fleet.demand('there is one tab although nobody looked at it', fleet.counts().tabs === 2);
      await fleet.approve(2);
    },
  },
  {
    title: 'one of which opened the tab of a dead grant and is killed are all connected by that tab',
    makes: both,
    tabs: twoTabs,
    play: async (fleet) => {
      await revoke(fleet);
      const { calls } = await allButOneAnswered(fleet);
      await (await fleet.hostOfSignIn()).kill();
      await takenOver(fleet);
      await fleet.approve(2);
      await calls;
      await fleet.spawn(1);
    },
  },
  {
    title: 'that start at once with a revoked grant all start and answer',
    makes: both,
    fromNothing: true,
    tabs: twoTabs,
    play: async (fleet) => {
      await signIn(fleet, await fleet.spawn(1));
      await fleet.leave();
      await revoke(fleet);
      await fleet.spawn();
      const { calls } = await allButOneAnswered(fleet);
      await fleet.approve(2);
      await calls;
    },
  },
];

async function revoke(fleet: Fleet): Promise<void> {
  await ageTokens(fleet.home);
  await fleet.revokeGrants();
}

/** Everybody calls: all but the one that opened the tab are answered with the link before the person acts. */
async function allButOneAnswered(fleet: Fleet): Promise<{ calls: Promise<Answer[]> }> {
  const answered = deferred<void>();
  let waiting = fleet.members.length;
  const calls = fleet.members.map(async (member) => {
    const answer = await fleet.call(member, withLink);
    waiting -= 1;
    if (waiting === 1) answered.resolve();
    return answer;
  });
  await answered.promise;
  return { calls: Promise.all(calls) };
}

function isGood({ isError }: Answer): boolean {
  return !isError;
}
