import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { remoteManifest } from './subjects.ts';

/** What the figures hold for. */
export interface Machine {
  cpu: string;
  cores: number;
  memoryGb: number;
  platform: string;
  node: string;
  /** Of the last minute, when the run began: more than the cores means that others were at work, too. */
  loadBefore: number;
  versions: Record<
    'notion-mcp-bridge' | 'mcp-remote' | '@modelcontextprotocol/client' | '@modelcontextprotocol/sdk',
    string
  >;
}

const require = createRequire(import.meta.url);
const project = new URL('../../package.json', import.meta.url);

export function machineOf(): Machine {
  const { version, devDependencies } = JSON.parse(readFileSync(project, 'utf8'));
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    loadBefore: Number(loadavg()[0]?.toFixed(1)),
    versions: {
      'notion-mcp-bridge': version,
      'mcp-remote': require(remoteManifest).version,
      '@modelcontextprotocol/client': devDependencies['@modelcontextprotocol/client'],
      '@modelcontextprotocol/sdk': devDependencies['@modelcontextprotocol/sdk'],
    },
  };
}

export function describeMachine({ cpu, cores, memoryGb, platform, node, loadBefore, versions }: Machine): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${memoryGb} GB, ${platform}, load before ${loadBefore}
Node.js ${node}, ${packages.join(', ')}`;
}
