import { expiries } from './fleet/expiries.ts';
import { play } from './fleet/play.ts';

play(expiries);
