import { setTimeout as pause } from 'node:timers/promises';
import type { Experiment, Figures } from './experiment.ts';
import { type Plan, sizes } from './plan.ts';
import { residentMemoryOf } from './process-cost.ts';
import type { Stage } from './stage.ts';
import { type Connected, greet, type SubjectName } from './subjects.ts';

/** What is resident of a new process, before and after many calls. */
export function memory({ quiet, memory: { rounds, small, large } }: Plan): Experiment {
  const look = async (pid: number) => {
    await pause(quiet);
    return residentMemoryOf(pid);
  };
  const playBareNode = async (stage: Stage): Promise<Figures> => {
    const client = stage.start('bare Node');
    await greet(client);
    const rest = await look(client.pid);
    await client.close();
    return { 'memory-at-rest': rest };
  };
  const after = async (connected: Connected, calls: number, bytes: number) => {
    for (let nth = 0; nth < calls; nth += 1) await connected.page(bytes);
    return look(connected.pid);
  };
  const playRelay = async (subject: SubjectName, stage: Stage): Promise<Figures> => {
    const first = await stage.connect(subject);
    const rest = await look(first.pid);
    const afterSmall = await after(first, small, sizes.small);
    await first.close();
    const second = await stage.connect(subject);
    const afterLarge = await after(second, large, sizes.large);
    await second.close();
    return { 'memory-at-rest': rest, 'memory-after-small': afterSmall, 'memory-after-large': afterLarge };
  };
  const told = (calls: number) => calls.toLocaleString('en');
  return {
    rows: [
      { key: 'memory-at-rest', title: 'memory at rest', unit: 'MB', better: 'less' },
      { key: 'memory-after-small', title: `memory after ${told(small)} calls of 1 KB`, unit: 'MB', better: 'less' },
      { key: 'memory-after-large', title: `memory after ${told(large)} calls of 1 MB`, unit: 'MB', better: 'less' },
    ],
    subjects: ['bridge', 'before', 'mcp-remote', 'bare Node'],
    rounds,
    play: (subject, stage) => (subject === 'bare Node' ? playBareNode(stage) : playRelay(subject, stage)),
  };
}
