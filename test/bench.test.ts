import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import type { Benchmark } from './bench/benchmark.ts';
import { titleOf } from './bench/outcome.ts';

// That the benchmark measures everything that it promises; what it measures depends on the machine.

const project = fileURLToPath(new URL('..', import.meta.url));

function runBench(...args: string[]) {
  return promisify(execFile)(process.execPath, ['--import', 'tsx', 'test/bench/bench.ts', '--short', ...args], {
    cwd: project,
  });
}

const relays = ['bridge', 'direct', 'mcp-remote'];
const spawned = ['bridge', 'mcp-remote'];
const withFloor = ['bare Node', 'bridge', 'mcp-remote'];

/** Who has a figure in which row (product.md 12). */
const rows: Record<string, string[]> = {
  initialize: withFloor,
  'initialize-cpu': withFloor,
  'tools-list': spawned,
  'tools-list-cpu': spawned,
  handshakes: spawned,
  'small-p50': relays,
  'small-p99': relays,
  'small-cpu': relays,
  'medium-p50': relays,
  'medium-p99': relays,
  'medium-cpu': relays,
  'large-p50': relays,
  'large-p99': relays,
  'large-cpu': relays,
  'in-flight-small-throughput': relays,
  'in-flight-small-p99': relays,
  'in-flight-small-cpu': relays,
  'in-flight-large-throughput': relays,
  'in-flight-large-p99': relays,
  'in-flight-large-cpu': relays,
  'progress-throughput': relays,
  'progress-cpu': relays,
  'memory-at-rest': withFloor,
  'memory-after-small': spawned,
  'memory-after-large': spawned,
  'installed-size': spawned,
  'installed-files': spawned,
  'installed-packages': spawned,
};
/** Only Linux tells what a process costs. */
const costs = /-cpu$|^memory-/;

test('the benchmark gives a figure for every subject in every row, a table, JSON and a chart', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'notion-mcp-bridge-bench-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [json, svg] = [join(folder, 'bench.json'), join(folder, 'bench.svg')];
  const { stdout } = await runBench('--json', json, '--svg', svg);

  const { outcomes, goals, machine } = JSON.parse(await readFile(json, 'utf8')) as Benchmark;
  const found = outcomes.map(({ row, summaries }) => [row.key, Object.keys(summaries).sort()]);
  expect(Object.fromEntries(found)).toEqual(rows);
  for (const { row, summaries } of outcomes) {
    if (process.platform !== 'linux' && costs.test(row.key)) continue;
    for (const [subject, summary] of Object.entries(summaries)) {
      const figures = [summary?.least, summary?.median, summary?.most] as number[];
      expect(figures.every(Number.isFinite), `${row.key} of ${subject}: ${figures}`).toBe(true);
      expect(figures, row.key).toEqual(figures.toSorted((one, other) => one - other));
      expect(figures[0], row.key).toBeGreaterThan(0);
    }
  }
  if (process.platform === 'linux') expect(goals.map(({ value }) => Number.isFinite(value))).not.toContain(false);

  const lines = stdout.split('\n');
  for (const { row } of outcomes) expect(lines.filter((line) => line.startsWith(`${titleOf(row)}  `))).toHaveLength(1);
  expect(stdout).toContain(machine.cpu);
  expect(stdout).toContain(`Node.js ${process.versions.node}`);
  expect((await readFile(svg, 'utf8')).match(/<rect /g)).toHaveLength(process.platform === 'linux' ? 22 : 17);
}, 300_000);

test('a row that does not exist is told, and nothing is measured', async () => {
  await expect(runBench('--only', 'nothing-like-this')).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('no row has "nothing-like-this"'),
  });
}, 300_000);
