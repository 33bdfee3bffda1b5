import { execFile } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { McpbManifestSchema } from '@anthropic-ai/mcpb/schemas/0.3';
import { expect, test } from 'vitest';
import { optionTable } from '../src/options.ts';
import { folderInTest } from './support/store-in-test.ts';

// What is published of a version: npm's package.json, the bundle's manifest.json, and server.json for the MCP registry.

const project = new URL('..', import.meta.url).pathname;
const documents = ['package.json', 'manifest.json', 'server.json'] as const;

async function readAll(folder: string) {
  const all = documents.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')));
  const [npm, bundle, registry] = await Promise.all(all);
  return { npm, bundle, registry };
}

test('everything that is published has one version and one name', async () => {
  const { npm, bundle, registry } = await readAll(project);
  const [published] = registry.packages;
  expect([bundle.version, registry.version, published.version]).toEqual(Array(3).fill(npm.version));
  expect([bundle.name, published.identifier, registry.name.split('/')[1]]).toEqual(Array(3).fill(npm.name));
});

test('server.json says what the MCP registry asks for', async () => {
  const { registry } = await readAll(project);
  expect(registry.$schema).toBe('https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json');
  expect(registry.name).toMatch(/^io\.github\.[\w-]+\/[\w.-]+$/);
  expect(registry.description.length).toBeLessThanOrEqual(100);
  const [published] = registry.packages;
  expect(published).toMatchObject({ registryType: 'npm', transport: { type: 'stdio' } });
  const known = Object.values(optionTable).flatMap((option) => ('environment' in option ? option.environment : []));
  expect(known).toEqual(
    expect.arrayContaining(published.environmentVariables.map(({ name }: { name: string }) => name)),
  );
});

test('a release is named after its repository, wherever npm and the MCP registry compare it', async () => {
  const folder = await folderInTest();
  for (const name of documents) await cp(join(project, name), join(folder, name));
  const script = join(project, 'scripts/name-repository.mjs');
  await promisify(execFile)(process.execPath, [script, 'ada/bridge'], { cwd: folder });
  const { npm, bundle, registry } = await readAll(folder);
  expect(npm).toMatchObject({
    mcpName: 'io.github.ada/notion-mcp-bridge',
    repository: { url: 'git+https://github.com/ada/bridge.git' },
  });
  expect(registry).toMatchObject({ name: npm.mcpName, repository: { url: 'https://github.com/ada/bridge' } });
  expect(McpbManifestSchema.safeParse(bundle).error?.issues).toBeUndefined();
  expect(bundle.privacy_policies).toContain('https://github.com/ada/bridge/blob/main/PRIVACY.md');
});

test('the release workflow runs pinned actions, may do nothing by default, and knows no stored secret', async () => {
  const workflow = await readFile(join(project, '.github/workflows/release.yml'), 'utf8');
  const used = [...workflow.matchAll(/uses: (.*)/g)].map(([, action]) => action);
  expect(used.length).toBeGreaterThan(0);
  for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  expect(workflow).toMatch(/^permissions: \{\}$/m);
  expect(workflow).not.toContain('secrets.');
});
