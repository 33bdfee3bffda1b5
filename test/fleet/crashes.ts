import type { Fleet } from '../support/fleet.ts';
import { approveUnfollowed, follow } from '../support/upstream/browser.ts';
import { all, both, type Scenario } from './scenario.ts';

const codeExchange = { endpoint: 'token', grantType: 'authorization_code' } as const;
/** A first sign-in is waited for up to 45 s (product.md 4). */
const firstSignIn = { bound: 55_000 };

/** kill -9, in the middle of a refresh and of a sign-in. */
export const crashes: Scenario[] = [
  {
    title: 'one of which is killed before the server has handled its refresh make up for it',
    makes: all,
    play: async (fleet) => {
      const { sender, calls } = await fleet.refreshUnderWay({ handled: false });
      await fleet.killRefreshing(sender);
      await calls;
      await fleet.spawn(1);
    },
  },
  {
    title: 'one of which is killed after the server has handled its refresh lose only what the server ends',
    makes: both,
    // The rotated token died with the process, and a strict server ends the grant of whoever presents the old one (6.5).
    tabs: (make) => (make === 'lenient' ? 1 : 2),
    play: async (fleet) => {
      const isLost = fleet.make !== 'lenient';
      const { sender, calls, release } = await fleet.refreshUnderWay({ handled: true, may: isLost ? ['link'] : [] });
      await fleet.killRefreshing(sender);
      release();
      if (isLost) await fleet.approve(2);
      await calls;
      await fleet.spawn(1);
    },
  },
  {
    title: 'one of which opened the tab and is killed before the person approves are all connected by that tab',
    makes: all,
    fromNothing: true,
    play: async (fleet) => {
      await fleet.spawn();
      const calls = fleet.everybody(firstSignIn);
      await fleet.home.browser.tab(1);
      await (await fleet.hostOfSignIn()).kill();
      await takenOver(fleet);
      await fleet.approve(1);
      await calls;
      fleet.demand('there was one registration', fleet.server.count({ endpoint: 'register' }) === 1);
    },
  },
  ...[
    { when: 'before the server has seen it', handled: false },
    { when: 'after the server has handled it', handled: true },
  ].map(
    ({ when, handled }): Scenario => ({
      title: `one of which is killed while it redeems the code, ${when}, lead the same tab to a new code`,
      makes: both,
      fromNothing: true,
      play: async (fleet) => {
        await fleet.spawn();
        const calls = fleet.everybody(firstSignIn);
        const { url } = await fleet.home.browser.tab(1);
        const callback = await approveUnfollowed(url);
        const gate = fleet.server.faults.hold('token', { when: codeExchange, handled });
        const tab = follow(callback).catch(() => 'the connection was cut');
        await gate.arrived;
        await (await fleet.hostOfSignIn()).kill();
        await tab;
        if (handled) gate.release();
        await takenOver(fleet);
        fleet.demand('the code was not redeemed again', fleet.server.count(codeExchange) === 1);
        const reloaded = await follow(callback);
        fleet.demand('the tab leads to a new request', stateOf(reloaded.location) !== stateOf(url));
        fleet.demand('the page says connected', (await fleet.server.approve(reloaded.location)).includes('Connected'));
        await calls;
        fleet.demand('the new code was redeemed once', fleet.server.count(codeExchange) === 2);
        fleet.demand('there was one registration', fleet.server.count({ endpoint: 'register' }) === 1);
      },
    }),
  ),
];

/** Resolves once a member that lives answers for the pending sign-in. */
export async function takenOver(fleet: Fleet): Promise<void> {
  await fleet.recordWith(({ pendingSignIn }) => fleet.members.some(({ pid }) => pid === pendingSignIn?.owner.pid));
}

function stateOf(url: string): string | null {
  return new URL(url).searchParams.get('state');
}
