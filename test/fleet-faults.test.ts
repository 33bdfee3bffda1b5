import { play } from './fleet/play.ts';
import { tokenEndpoint } from './fleet/token-endpoint.ts';
import { upstreamFaults } from './fleet/upstream-faults.ts';

play([...upstreamFaults, ...tokenEndpoint]);
