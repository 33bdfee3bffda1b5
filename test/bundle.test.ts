import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { McpbManifestSchema } from '@anthropic-ai/mcpb/schemas/0.3';
import { transform } from 'esbuild';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { optionTable } from '../src/options.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { connectProgram, type SpawnedBridge } from './support/spawn-client.ts';
import { folderInTest } from './support/store-in-test.ts';
import { readStrictly } from './support/strict-zip.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// The MCPB bundle for Claude Desktop, as it is installed and run there (clients.md). In a release: the very file.

const run = promisify(execFile);
const project = new URL('..', import.meta.url).pathname;
const release = process.env.RELEASE;

interface Manifest {
  name: string;
  version: string;
  icon: string;
  privacy_policies: string[];
  server: { entry_point: string; mcp_config: { command: string; args: string[]; env: Record<string, string> } };
  user_config: Record<string, { default?: unknown }>;
}

interface Bundle {
  file: string;
  bytes: Buffer;
  checksum: string;
}

let bundle: Bundle;
let files: Map<string, Buffer>;
let manifest: Manifest;

beforeAll(async () => {
  const source = JSON.parse(await readFile(join(project, 'manifest.json'), 'utf8')) as Manifest;
  bundle = await read(source, release ? resolve(release) : await packInto(join(project, 'artefacts'), 'UTC'));
  files = await readStrictly(bundle.bytes);
  manifest = JSON.parse(String(files.get('manifest.json'))) as Manifest;
});

async function packInto(folder: string, timeZone: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const env = { ...process.env, TZ: timeZone };
  await run(process.execPath, ['scripts/bundle.mjs', folder], { cwd: project, env });
  return folder;
}

async function read({ name, version }: Manifest, folder: string): Promise<Bundle> {
  const file = `${name}-${version}.mcpb`;
  const path = join(folder, file);
  return { file, bytes: await readFile(path), checksum: await readFile(`${path}.sha256`, 'utf8') };
}

/** Unpacked as an app would do it, into a folder with spaces in its path. */
async function installed(): Promise<string> {
  const folder = join(await folderInTest(), 'Claude Extensions', 'local mcpb');
  for (const [name, content] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

/** What the app makes of the manifest's settings: the defaults, or the placeholders as they are. */
function settings(how: 'filled in' | 'left as placeholders'): Record<string, string> {
  const fill = (text: string) =>
    text.replace(/\$\{user_config\.(\w+)\}/, (literal, name: string) =>
      how === 'filled in' ? String(manifest.user_config[name]?.default) : literal,
    );
  return Object.fromEntries(Object.entries(manifest.server.mcp_config.env).map(([name, text]) => [name, fill(text)]));
}

interface Start {
  args: string[];
  env?: Record<string, string>;
}

/** Runs a program with HOME, PATH and what is given; nothing else is set. */
async function runAlone({ args, env = {} }: Start): Promise<SpawnedBridge> {
  const { path } = await homeInTest();
  const all = Object.entries({ HOME: path, PATH: process.env.PATH, ...env }).map(([name, value]) => `${name}=${value}`);
  const bridge = await connectProgram({ command: 'env', args: ['-i', ...all, ...args], env: {} });
  onTestFinished(() => bridge.close());
  return bridge;
}

async function serves({ client, call }: SpawnedBridge): Promise<void> {
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('notion-search');
  expect((await call('notion-search', { query: 'release' })).text).toContain('Release checklist');
}

describe('the bundle', () => {
  test('is the same, byte for byte, when and wherever it is packed', async () => {
    const elsewhere = await read(manifest, await packInto(await folderInTest(), 'Pacific/Kiritimati'));
    const before = await read(manifest, await packInto(await folderInTest(), 'America/St_Johns'));
    expect(elsewhere.bytes.equals(before.bytes)).toBe(true);
    expect(elsewhere.bytes.equals(bundle.bytes)).toBe(true);
  });

  test('comes with its checksum', () => {
    const digest = createHash('sha256').update(bundle.bytes).digest('hex');
    expect(bundle.checksum).toBe(`${digest}  ${bundle.file}\n`);
  });

  test('holds what runs, its licences and what the manifest names, and is small', () => {
    const run = ['dist/cli.js', 'dist/bridge.mjs'];
    const told = ['dist/THIRD-PARTY-LICENSES.txt', 'README.md', 'PRIVACY.md', 'LICENSE'];
    expect([...files.keys()]).toEqual(['manifest.json', 'icon.png', ...run, ...told]);
    for (const named of [manifest.server.entry_point, manifest.icon]) expect([...files.keys()]).toContain(named);
    expect(bundle.bytes.length).toBeLessThan(1_000_000);
  });

  test('has an icon of 512 by 512 pixels', () => {
    const png = files.get(manifest.icon) as Buffer;
    expect(png.subarray(1, 4).toString()).toBe('PNG');
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([512, 512]);
  });
});

describe('its manifest', () => {
  test('is one by the schema of mcpb, with privacy policies', () => {
    expect(McpbManifestSchema.safeParse(manifest).error?.issues).toBeUndefined();
    for (const policy of manifest.privacy_policies) expect(new URL(policy).protocol).toBe('https:');
    expect(manifest.privacy_policies).not.toEqual([]);
  });

  test('runs the entry point', () => {
    const { command, args } = manifest.server.mcp_config;
    expect([command, ...args]).toEqual(['node', `\${__dirname}/${manifest.server.entry_point}`]);
  });

  // An option without a default reaches the bridge as its literal placeholder (clients.md).
  test('gives a default for each setting that it passes on, and passes on what the bridge knows', () => {
    const { env } = manifest.server.mcp_config;
    const passedOn = Object.values(env).map((value) => /^\$\{user_config\.(\w+)\}$/.exec(value)?.[1]);
    expect(passedOn.toSorted()).toEqual(Object.keys(manifest.user_config).toSorted());
    expect(passedOn.toSorted()).toEqual(['log_level', 'no_browser', 'profile', 'read_only']);
    for (const option of Object.values(manifest.user_config)) expect(option).toHaveProperty('default');
    const known = Object.values(optionTable).flatMap((option) => ('environment' in option ? option.environment : []));
    expect(known).toEqual(expect.arrayContaining(Object.keys(env)));
  });
});

describe('unpacked into a path with spaces, with HOME and PATH alone', () => {
  test('it is started', async () => {
    const entry = join(await installed(), manifest.server.entry_point);
    const { client } = await runAlone({ args: ['node', entry] });
    expect(client.getServerVersion()).toMatchObject({ name: manifest.name, version: manifest.version });
    const upstream = await upstreamInTest({ auth: false });
    await serves(await runAlone({ args: ['node', entry, '--url', upstream.url] }));
  });

  test('it is imported, as in the utility process of an app', async () => {
    const folder = await installed();
    const host = join(folder, 'host.mjs');
    const entry = pathToFileURL(join(folder, manifest.server.entry_point)).href;
    await writeFile(host, `await import(${JSON.stringify(entry)});\n`);
    const upstream = await upstreamInTest({ auth: false });
    await serves(await runAlone({ args: ['node', host, '--url', upstream.url] }));
  });

  test.each(['filled in', 'left as placeholders'] as const)('it serves with its settings %s', async (how) => {
    const entry = join(await installed(), manifest.server.entry_point);
    const upstream = await upstreamInTest({ auth: false });
    await serves(await runAlone({ args: ['node', entry, '--url', upstream.url], env: settings(how) }));
  });

  test('it hides what writes when its user ticked that', async () => {
    const entry = join(await installed(), manifest.server.entry_point);
    const upstream = await upstreamInTest({ auth: false });
    const env = { ...settings('filled in'), NOTION_MCP_BRIDGE_READ_ONLY: 'true' };
    const bridge = await runAlone({ args: ['node', entry, '--url', upstream.url], env });
    expect((await bridge.client.listTools()).tools.map(({ name }) => name)).not.toContain('notion-update-page');
    await serves(bridge);
  });
});

describe('an old Node.js', () => {
  test('is told what is needed, in words', async () => {
    const entry = pathToFileURL(join(await installed(), manifest.server.entry_point)).href;
    const old = "{ version: { value: 'v18.20.4' }, versions: { value: { node: '18.20.4' } } }";
    const code = `Object.defineProperties(process, ${old}); import(${JSON.stringify(entry)});`;
    const { code: exitCode, stdout, stderr } = await run('node', ['--eval', code]).catch((error) => error);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(
      /^notion-mcp-bridge: needs Node\.js 20 or newer, and this is v18\.20\.4 .*\n {2}next: .*\n$/,
    );
  });

  test('can read that far: nothing in the entry is newer than ES5, but for import()', async () => {
    const entry = String(files.get(manifest.server.entry_point)).replace(/^#!.*\n/, '');
    const [asItIs, forOld] = await Promise.all([
      transform(entry, { target: 'esnext' }),
      transform(entry, { target: 'es5', supported: { 'dynamic-import': true } }),
    ]);
    expect(forOld.code).toBe(asItIs.code);
  });
});
