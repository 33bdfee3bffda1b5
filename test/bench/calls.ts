import type { Experiment, Figures, Row } from './experiment.ts';
import { inWords, type Plan, type Size, sizes } from './plan.ts';
import { cpuTimeOf } from './process-cost.ts';
import { percentile } from './statistics.ts';
import type { Connected } from './subjects.ts';

const together = 32;

/** Everything that is relayed on connections that stay for the whole run. */
export function relayed(plan: Plan): Experiment[] {
  const measurings = [
    oneAtATime('small', plan),
    oneAtATime('medium', plan),
    oneAtATime('large', plan),
    inFlight('small', plan),
    inFlight('large', plan),
    progress(plan),
  ];
  return measurings.map((measuring) => onConnections(plan, measuring));
}

interface Measuring {
  key: string;
  title: string;
  rows: Row[];
  /** In one measurement. */
  calls: number;
  measure(connected: Connected): Promise<Figures>;
}

/** With what it costs the subject for each of the calls. */
function onConnections({ rounds, warmUps }: Plan, measuring: Measuring): Experiment {
  const { key, title, rows, calls, measure } = measuring;
  return {
    rows: [...rows, { key: `${key}-cpu`, title: `${title}: CPU per call`, unit: 'ms', better: 'less' }],
    subjects: ['bridge', 'before', 'mcp-remote', 'direct'],
    rounds,
    warmUps,
    play: async (subject, stage) => {
      const connected = await stage.connected(subject);
      const before = cpuTimeOf(connected.pid);
      const figures = await measure(connected);
      const after = cpuTimeOf(connected.pid);
      const known = before !== undefined && after !== undefined;
      return { ...figures, [`${key}-cpu`]: known ? (after - before) / calls : undefined };
    },
  };
}

function oneAtATime(size: Size, plan: Plan): Measuring {
  const calls = plan.calls[size];
  const title = `${inWords[size]} call`;
  const measure = async (connected: Connected) => {
    const times: number[] = [];
    for (let nth = 0; nth < calls; nth += 1) times.push(await timed(() => connected.page(sizes[size])));
    return { [`${size}-p50`]: percentile(times, 0.5), [`${size}-p99`]: percentile(times, 0.99) };
  };
  const rows: Row[] = [
    { key: `${size}-p50`, title: `${title}: p50`, unit: 'ms', better: 'less' },
    { key: `${size}-p99`, title: `${title}: p99`, unit: 'ms', better: 'less' },
  ];
  return { key: size, title, rows, calls, measure };
}

/** As soon as one of 32 is answered, the next one goes out. */
function inFlight(size: 'small' | 'large', plan: Plan): Measuring {
  const calls = plan.inFlight[size];
  const key = `in-flight-${size}`;
  const title = `${inWords[size]}, ${together} in flight`;
  const measure = async (connected: Connected) => {
    const times: number[] = [];
    let left = calls;
    const work = async () => {
      while (left > 0) {
        left -= 1;
        times.push(await timed(() => connected.page(sizes[size])));
      }
    };
    const all = await timed(() => Promise.all(Array.from({ length: together }, work)));
    return { [`${key}-throughput`]: (calls / all) * 1_000, [`${key}-p99`]: percentile(times, 0.99) };
  };
  const rows: Row[] = [
    { key: `${key}-throughput`, title: `${title}: calls`, unit: 'per second', better: 'more' },
    { key: `${key}-p99`, title: `${title}: p99`, unit: 'ms', better: 'less' },
  ];
  return { key, title, rows, calls, measure };
}

/** Calls that answer with a stream of notifications first. */
function progress(plan: Plan): Measuring {
  const { calls, times } = plan.reports;
  const key = 'progress';
  const title = `${times} progress notifications`;
  const measure = async (connected: Connected) => {
    const all = await timed(async () => {
      for (let nth = 0; nth < calls; nth += 1) await connected.report(times);
    });
    return { [`${key}-throughput`]: ((calls * times) / all) * 1_000 };
  };
  const rows: Row[] = [{ key: `${key}-throughput`, title, unit: 'per second', better: 'more' }];
  return { key, title, rows, calls, measure };
}

/** How long it takes, ms. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
