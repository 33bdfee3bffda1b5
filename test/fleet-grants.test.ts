import { crashes } from './fleet/crashes.ts';
import { deadGrants } from './fleet/dead-grants.ts';
import { play } from './fleet/play.ts';

play([...deadGrants, ...crashes]);
