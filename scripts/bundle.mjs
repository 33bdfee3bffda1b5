// Packs the bridge for Claude Desktop: a staging folder, from it an unsigned MCPB bundle, and its checksum. Unsigned, because
// Claude Desktop refuses what `mcpb sign` makes; not by `mcpb pack`, because that writes the time of packing into the file.
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { zipSync } from 'fflate';

const [folder = 'artefacts'] = process.argv.slice(2);
const staging = join(folder, 'bundle');

/** In the bundle, and where it comes from. The order is that of the bundle. */
const files = {
  'manifest.json': 'manifest.json',
  'icon.png': 'assets/icon.png',
  'dist/cli.js': 'dist/cli.js',
  'dist/bridge.mjs': 'dist/bridge.mjs',
  'dist/THIRD-PARTY-LICENSES.txt': 'dist/THIRD-PARTY-LICENSES.txt',
  'README.md': 'README.md',
  'PRIVACY.md': 'PRIVACY.md',
  LICENSE: 'LICENSE',
};

/** The same from the same files, whenever and wherever: ZIP holds local times, and this one is local everywhere. */
const sameEverywhere = { mtime: new Date(1980, 0, 1), os: 3, attrs: 0o100644 * 0x10000, level: 9 };

await rm(staging, { recursive: true, force: true });
for (const [name, source] of Object.entries(files)) {
  await mkdir(dirname(join(staging, name)), { recursive: true });
  await cp(source, join(staging, name));
}

const contents = await Promise.all(Object.keys(files).map(async (name) => [name, await readFile(join(staging, name))]));
const bundle = zipSync(Object.fromEntries(contents), sameEverywhere);
const { name, version } = JSON.parse(await readFile('manifest.json', 'utf8'));
const path = join(folder, `${name}-${version}.mcpb`);
const checksum = createHash('sha256').update(bundle).digest('hex');
await writeFile(path, bundle);
// As `sha256sum --check` reads it.
await writeFile(`${path}.sha256`, `${checksum}  ${basename(path)}\n`);
console.log(`${path} (${Math.round(bundle.length / 1024)} KB)\n${checksum}`);
