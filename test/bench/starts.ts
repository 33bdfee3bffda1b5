import type { Experiment, Figures } from './experiment.ts';
import type { Plan } from './plan.ts';
import { cpuTimeOf } from './process-cost.ts';
import type { Stage } from './stage.ts';
import { greet, type Spawned } from './subjects.ts';

/** From the spawn to the first answers, on stored credentials. */
export function starts({ starts: rounds }: Plan): Experiment {
  const play = async (subject: Spawned, stage: Stage): Promise<Figures> => {
    const before = await stage.handshakes();
    const spawnedAt = performance.now();
    const since = () => performance.now() - spawnedAt;
    const client = stage.start(subject);
    const figures: Figures = {};
    await greet(client, () => {
      figures.initialize = since();
      figures['initialize-cpu'] = cpuTimeOf(client.pid);
    });
    if (subject !== 'bare Node') {
      await client.request('tools/list');
      figures['tools-list'] = since();
      figures['tools-list-cpu'] = cpuTimeOf(client.pid);
    }
    await client.close();
    if (subject !== 'bare Node') figures.handshakes = (await stage.handshakes()) - before;
    return figures;
  };
  return {
    rows: [
      { key: 'initialize', title: 'spawn to initialize', unit: 'ms', better: 'less' },
      { key: 'initialize-cpu', title: 'spawn to initialize: CPU', unit: 'ms', better: 'less' },
      { key: 'tools-list', title: 'spawn to tools/list', unit: 'ms', better: 'less' },
      { key: 'tools-list-cpu', title: 'spawn to tools/list: CPU', unit: 'ms', better: 'less' },
      { key: 'handshakes', title: 'upstream handshakes per start', unit: '', better: 'less' },
    ],
    subjects: ['bridge', 'before', 'mcp-remote', 'bare Node'],
    rounds,
    play: (subject, stage) => play(subject as Spawned, stage),
  };
}
