import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The oldest Node.js that the runner starts on, and the one from npm that it gets where this one is older. */
const oldestNode = 22;
const nodeFromNpm = '24.21.0';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Ended {
  code: number | null;
  output: string;
}

export type Leg = 'client' | 'server';

/** A scenario as the runner lists it: the revisions that it applies to; none for a scenario of an extension. */
export interface Scenario {
  leg: Leg;
  name: string;
  revisions: string[];
}

/** What the runner found in one scenario. */
export interface Result {
  passed: number;
  /** Failed checks and warnings, in words. */
  failures: string[];
  /** What the runner and the client printed; empty for server scenarios, which are run together. */
  output: string;
}

export interface Runner {
  version: string;
  scenarios(): Promise<Scenario[]>;
  /** Runs one client scenario: the runner serves, and runs `command` with the server's URL. */
  client(scenario: string, revision: string, folder: string): Promise<Result>;
  /** Runs all server scenarios that apply to the revision against `url`. */
  server(url: string, revision: string, folder: string): Promise<Map<string, Result>>;
}

export async function openRunner(): Promise<Runner> {
  const entry = join(packageFolder(), 'dist', 'index.js');
  const { version } = JSON.parse(await readFile(join(packageFolder(), 'package.json'), 'utf8')) as { version: string };
  const node = await findNode();
  const conformance = (...args: string[]) => run(node, [entry, ...args]);
  const command = `${process.execPath} --import tsx ${join('test', 'conformance', 'client.ts')}`;

  return {
    version,
    scenarios: async () => readList((await conformance('list')).output),
    client: async (scenario, revision, folder) => {
      const where = ['--spec-version', revision, '--timeout', '40000', '--output-dir', folder];
      const { code, output } = await conformance('client', '--command', command, '--scenario', scenario, ...where);
      const result = (await readResults(folder, 'client')).get(scenario) ?? { passed: 0, failures: [], output };
      // The runner fails a scenario whose client ended badly, too, where that is no part of it.
      const failures = code === 0 || result.failures.length > 0 ? result.failures : ['the runner failed it'];
      return { ...result, failures, output };
    },
    server: async (url, revision, folder) => {
      await conformance('server', '--url', url, '--suite', 'all', '--spec-version', revision, '--output-dir', folder);
      return readResults(folder, 'server');
    },
  };
}

function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json'));
}

/** npm has each Node.js as a package for each kind of machine. */
async function findNode(): Promise<string> {
  if (Number(process.versions.node.split('.')[0]) >= oldestNode) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${platform}-${process.arch}@${nodeFromNpm}`;
  const { code, output } = await run('npm', [
    'exec',
    '--yes',
    `--package=${name}`,
    '--',
    'node',
    '-p',
    'process.execPath',
  ]);
  const path = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0) throw new Error(`could not get ${name} from npm: ${output}`);
  return path;
}

async function run(command: string, args: string[]): Promise<Ended> {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, output: err + out };
}

function readList(output: string): Scenario[] {
  let leg: Leg | undefined;
  return output.split('\n').flatMap((line) => {
    if (/^\S/.test(line)) leg = /^(Client|Server) scenarios/.exec(line)?.[1]?.toLowerCase() as Leg | undefined;
    const [, name, revisions = ''] = /^ {2}- (\S+) \[(.*)\]$/.exec(line) ?? [];
    if (leg === undefined || name === undefined) return [];
    return [{ leg, name, revisions: revisions === 'extension' ? [] : revisions.split(',') }];
  });
}

interface Check {
  id: string;
  status: string;
  description: string;
  errorMessage?: string;
}

/** The runner keeps the checks of each scenario in a folder of their own, whose name ends in the time. */
async function readResults(folder: string, leg: Leg): Promise<Map<string, Result>> {
  const results = new Map<string, Result>();
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('checks.json'));
  for (const file of files) {
    const checks = JSON.parse(await readFile(join(folder, file), 'utf8')) as Check[];
    const name = dirname(file).replace(/-\d{4}-\d{2}-\d{2}T.*$/, '');
    const failures = checks
      .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
      .map(({ id, description, errorMessage }) => `${id}: ${errorMessage ?? description}`);
    const passed = checks.filter(({ status }) => status === 'SUCCESS').length;
    results.set(leg === 'server' ? name.replace(/^server-/, '') : name, { passed, failures, output: '' });
  }
  return results;
}
