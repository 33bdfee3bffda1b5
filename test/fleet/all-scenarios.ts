import { crashes } from './crashes.ts';
import { deadGrants } from './dead-grants.ts';
import { disks } from './disks.ts';
import { expiries } from './expiries.ts';
import type { Scenario } from './scenario.ts';
import { stops } from './stops.ts';
import { tokenEndpoint } from './token-endpoint.ts';
import { upstreamFaults } from './upstream-faults.ts';

/** Those that last longest come first, so that the others fill the gaps. */
export const allScenarios: readonly Scenario[] = [
  ...stops,
  ...deadGrants,
  ...expiries,
  ...upstreamFaults,
  ...tokenEndpoint,
  ...disks,
  ...crashes,
];
