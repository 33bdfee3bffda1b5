import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { build, type Plugin } from 'esbuild';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openPackageRegistry } from './support/package-registry.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { connectProgram, type ServerProgram, type SpawnedBridge } from './support/spawn-client.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// What a user gets: the packed tarball and the lines of the README, run as they are.

const run = promisify(execFile);
const project = new URL('..', import.meta.url).pathname;
const readProject = (path: string) => readFile(join(project, path), 'utf8');

interface Manifest {
  name: string;
  version: string;
  scripts?: Record<string, string>;
  [dependencies: `${string}ependencies`]: Record<string, string> | undefined;
}

const manifest = JSON.parse(await readProject('package.json')) as Manifest;
const scratch = await mkdtemp(join(tmpdir(), 'notion-mcp-bridge-package-'));
afterAll(() => rm(scratch, { recursive: true, force: true, maxRetries: 3 }));

let tarball: string;
let packedFiles: string[];

beforeAll(async () => {
  tarball = await packed();
  const { stdout } = await run('tar', ['--list', '--gzip', '--file', tarball]);
  packedFiles = stdout
    .trimEnd()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''));
});

/** In a release the file that will be published, else one of its own. */
async function packed(): Promise<string> {
  const name = `${manifest.name}-${manifest.version}.tgz`;
  if (process.env.RELEASE) return resolve(process.env.RELEASE, name);
  const args = ['pack', '--ignore-scripts', '--pack-destination', scratch];
  await run('npm', args, { cwd: project, env: environmentOf(await cleanHome('pack', 'offline=true')) });
  return join(scratch, name);
}

/** A home in which only npm was set up, and an empty folder in it to work in. */
async function cleanHome(name: string, npmrc: string): Promise<string> {
  const home = join(scratch, name);
  await mkdir(join(home, 'empty'), { recursive: true });
  await writeFile(join(home, '.npmrc'), `${npmrc}\nupdate-notifier=false\n`);
  return home;
}

/** What Claude Desktop leaves of the environment on macOS and Linux (clients.md). */
function environmentOf(home: string): Record<string, string> {
  const { PATH = '', SHELL = '/bin/sh', USER = 'ada' } = process.env;
  return { HOME: home, LOGNAME: USER, PATH, SHELL, TERM: 'xterm', USER };
}

async function serve(program: ServerProgram): Promise<SpawnedBridge> {
  const bridge = await connectProgram(program);
  onTestFinished(() => bridge.close());
  return bridge;
}

describe('the npm package', () => {
  test('holds the bridge, what it bundles, the README and the licence, and nothing else', () => {
    const built = ['dist/THIRD-PARTY-LICENSES.txt', 'dist/bridge.mjs', 'dist/cli.js'];
    expect(packedFiles.toSorted()).toEqual(['LICENSE', 'README.md', ...built, 'package.json']);
  });

  test('is one file to run, under 1 MB', async () => {
    const sizes = ['dist/cli.js', 'dist/bridge.mjs'].map(async (file) => (await stat(join(project, file))).size);
    const [entry = 0, bridge = 0] = await Promise.all(sizes);
    expect(entry + bridge).toBeLessThan(1_000_000);
  });

  test('names every package that it bundles, with its version and licence', async () => {
    const unused = new URL('../scripts/without-unused.mjs', import.meta.url).href;
    const { withoutUnused } = (await import(unused)) as { withoutUnused: Plugin };
    const { metafile } = await build({
      absWorkingDir: project,
      entryPoints: ['src/cli.ts'],
      bundle: true,
      platform: 'node',
      format: 'esm',
      minifySyntax: true,
      write: false,
      metafile: true,
      plugins: [withoutUnused],
    });
    const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
    const used = inputs.filter(([path, { bytesInOutput }]) => path.includes('node_modules/') && bytesInOutput > 0);
    const folders = new Set(used.map(([path]) => /.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] as string));
    expect(folders.size).toBeGreaterThan(5);
    const notice = await readProject('dist/THIRD-PARTY-LICENSES.txt');
    for (const folder of folders) {
      const { name, version, license } = JSON.parse(await readProject(`${folder}/package.json`));
      expect(notice).toContain(`\n${name} ${version} (${license})\n`);
    }
  });

  test('installs alone and runs no script on the way', async () => {
    const home = await cleanHome('install', 'offline=true');
    const cwd = join(home, 'empty');
    const env = environmentOf(home);
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd, env });
    const visible = (await readdir(join(cwd, 'node_modules'))).filter((name) => !name.startsWith('.'));
    expect(visible).toEqual([manifest.name]);
    const installed = JSON.parse(
      await readFile(join(cwd, 'node_modules', manifest.name, 'package.json'), 'utf8'),
    ) as Manifest;
    for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies', 'bundleDependencies'] as const)
      expect(installed[kind], kind).toBeUndefined();
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(installed.scripts).not.toHaveProperty(script);
    const { stdout } = await run(join(cwd, 'node_modules/.bin', manifest.name), ['--version'], { cwd, env });
    expect(stdout).toBe(`${manifest.version}\n`);
  });

  test('runs by npx in a clean home without a network, from an empty folder', async () => {
    const home = await cleanHome('npx', 'offline=true');
    const cwd = join(home, 'empty');
    const env = environmentOf(home);
    const args = ['--yes', `--package=${tarball}`, manifest.name];
    const { stdout } = await run('npx', [...args, '--version'], { cwd, env });
    expect(stdout).toBe(`${manifest.version}\n`);
    const { client } = await serve({ command: 'npx', args, env, cwd });
    expect(client.getServerVersion()).toMatchObject({ name: manifest.name, version: manifest.version });
    expect(await readdir(cwd)).toEqual([]);
  });
});

interface ServerEntry {
  command: string;
  args: string[];
  env?: Record<string, string>;
}

/** The entries for npx among the README's JSON snippets for clients. */
async function readmeEntries(): Promise<ServerEntry[]> {
  const snippets = [...(await readProject('README.md')).matchAll(/^```jsonc?\n(.*?)^```$/gms)].map(([, json]) => json);
  const configurations = snippets
    .filter((json) => json?.includes('"mcpServers"'))
    .map((json) => JSON.parse(json ?? ''));
  const entries = configurations.map(({ mcpServers }) => mcpServers.notion as ServerEntry);
  return entries.filter(({ command }) => command === 'npx');
}

describe('the README', () => {
  test('its login and its entry for Claude Desktop work as they stand, from a registry', async () => {
    const [entry] = await readmeEntries();
    if (!entry) throw new Error('README.md shows no entry for npx under mcpServers');
    const upstream = await upstreamInTest();
    const registry = await openPackageRegistry(manifest, tarball);
    onTestFinished(() => registry.close());
    const home = await homeInTest();
    await writeFile(join(home.path, '.npmrc'), `registry=${registry.url}\nupdate-notifier=false\n`);

    // a terminal has more in its environment than an app passes on, and both must meet (product.md 5)
    const terminal = {
      ...environmentOf(home.path),
      XDG_CONFIG_HOME: join(home.path, 'elsewhere'),
      BROWSER: home.browser.command,
      NOTION_MCP_BRIDGE_URL: upstream.url,
    };
    const login = await run('npx', ['-y', 'notion-mcp-bridge', 'login'], { cwd: home.path, env: terminal });
    expect(login.stdout).toContain('signed in');
    expect(registry.requests).toContain(`/${manifest.name}`);

    const env = { ...environmentOf(home.path), ...entry.env, NOTION_MCP_BRIDGE_URL: upstream.url };
    const { client, call } = await serve({ command: entry.command, args: entry.args, env, cwd: '/' });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('notion-search');
    const found = await call('notion-search', { query: 'release' });
    expect(found.isError, found.text).toBe(false);
    expect(found.text).toContain('Release checklist');
    expect(home.browser.tabs).toHaveLength(1);
    expect(upstream.count({ grantType: 'authorization_code' })).toBe(1);
  });
});
