import type { Fault } from '../support/upstream/faults.ts';
import { all, both, type Scenario } from './scenario.ts';

const unhandled: Record<string, Fault> = {
  'a lost request': { kind: 'lose-request' },
  'a 503': { kind: 'status', status: 503 },
  'a 429 with Retry-After': { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
  'a 500': { kind: 'status', status: 500 },
  'an HTML page': { kind: 'html' },
};
const handled: Record<string, Fault> = {
  'a lost response': { kind: 'lose-response' },
  'a response cut short': { kind: 'cut-after-headers' },
};

/** A token endpoint that is slow, busy, broken or out of reach while the access token has ended. */
export const tokenEndpoint: Scenario[] = [
  {
    title: 'whose token endpoint is slow wait for its answer',
    makes: both,
    play: async (fleet, { slow }) => {
      await fleet.expire('announced');
      fleet.tokenFault({ kind: 'delay', ms: slow });
      await fleet.everybody();
      fleet.demand('there was one refresh', fleet.counts().refreshes === 1);
    },
  },
  ...Object.entries(unhandled).map(
    ([name, fault]): Scenario => ({
      title: `whose refresh meets ${name} make up for it`,
      makes: fault.kind === 'lose-request' ? all : both,
      play: async (fleet) => {
        await fleet.expire('announced');
        fleet.tokenFault(fault);
        await fleet.everybody();
      },
    }),
  ),
  ...Object.entries(handled).map(
    ([name, fault]): Scenario => ({
      title: `whose refresh meets ${name} lose only what the server ends`,
      makes: both,
      // The server rotated, nobody has the new token, and a strict one ends the grant of whoever presents the old one (6.5).
      tabs: (make) => (make === 'lenient' ? 1 : 2),
      play: async (fleet) => {
        const isLost = fleet.make !== 'lenient';
        await fleet.expire('announced');
        fleet.tokenFault(fault);
        const calls = fleet.everybody({ may: isLost ? ['link'] : [] });
        if (isLost) await fleet.approve(2);
        await calls;
      },
    }),
  ),
  {
    title: 'one of which is asked to stay away for long all use what another got',
    makes: both,
    play: async (fleet) => {
      await fleet.expire('announced');
      fleet.tokenFault({ kind: 'status', status: 429, headers: { 'retry-after': '3600' } });
      await fleet.everybody();
    },
  },
];
