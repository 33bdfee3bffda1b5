import { disks } from './fleet/disks.ts';
import { play } from './fleet/play.ts';
import { stops } from './fleet/stops.ts';

play([...stops, ...disks]);
