import { setTimeout as sleep } from 'node:timers/promises';
import { refresh } from '../support/fleet.ts';
import { all, both, type Scenario, signIn } from './scenario.ts';

/** Access tokens that end, while the grant lives. */
export const expiries: Scenario[] = [
  {
    title: 'whose access tokens end every few seconds, as expires_in tells, work on',
    makes: both,
    upstream: { accessTokenTtl: 60, expiresIn: 4 },
    play: async (fleet, { steady }) => {
      // The library issues no token for less than a minute, so the server's time passes fifteen times as fast.
      const { clock } = fleet.server.embedded;
      await fleet.steadily(async () => {
        for (let past = 0; past < steady; past += 100) {
          await sleep(100);
          clock.advance(1_400);
        }
      });
      fleet.demand('at least two tokens were renewed', fleet.counts().refreshes >= 2);
    },
  },
  {
    title: 'whose access tokens end although expires_in promised more work on',
    makes: all,
    play: async (fleet, { steady }) => {
      await fleet.steadily(async () => {
        for (let past = 0; past < steady; past += 2_000) {
          const renewed = fleet.server.waitFor(refresh, { nth: fleet.server.count(refresh) + 1 });
          await fleet.endAccessTokens();
          await renewed;
          // Everybody has met the end of this token, and taken the next one, before that ends, too.
          await fleet.everybody();
        }
      });
    },
  },
  ...(['announced', 'unannounced'] as const).map(
    (how): Scenario => ({
      title: `that meet an expiry at once, ${how} by expires_in, refresh once`,
      makes: all,
      play: async (fleet) => {
        await fleet.expire(how);
        await fleet.everybody();
        fleet.demand('there was one refresh', fleet.counts().refreshes === 1);
      },
    }),
  ),
  {
    title: 'that start at once on an expired token refresh once',
    makes: all,
    fromNothing: true,
    play: async (fleet) => {
      await signIn(fleet, await fleet.spawn(1));
      await fleet.leave();
      await fleet.expire('announced');
      await fleet.spawn();
      await fleet.everybody();
      fleet.demand('there was one refresh', fleet.counts().refreshes === 1);
    },
  },
  {
    title: 'that all need a first sign-in share one tab, one registration and one code',
    makes: all,
    fromNothing: true,
    play: async (fleet) => {
      await fleet.spawn();
      // A first sign-in is waited for up to 45 s (product.md 4).
      const calls = fleet.everybody({ bound: 55_000 });
      await fleet.approve(1);
      await calls;
      fleet.demand('there was one registration', fleet.server.count({ endpoint: 'register' }) === 1);
      fleet.demand('there was one code', fleet.server.count({ grantType: 'authorization_code' }) === 1);
    },
  },
];
