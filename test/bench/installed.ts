import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Experiment, Figures } from './experiment.ts';
import { remoteManifest } from './subjects.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const megabyte = 1024 * 1024;

interface Installed {
  bytes: number;
  files: number;
  packages: number;
}

/** What is on the disk after an installation, unpacked. */
export function installed(): Experiment {
  return {
    rows: [
      { key: 'installed-size', title: 'installed', unit: 'MB', better: 'less' },
      { key: 'installed-files', title: 'files installed', unit: '', better: 'less' },
      { key: 'installed-packages', title: 'packages installed', unit: '', better: 'less' },
    ],
    subjects: ['bridge', 'mcp-remote'],
    rounds: 1,
    play: async (subject): Promise<Figures> => {
      const { bytes, files, packages } = await (subject === 'bridge' ? packed() : withDependencies(remoteManifest));
      return { 'installed-size': bytes / megabyte, 'installed-files': files, 'installed-packages': packages };
    },
  };
}

/** What npm packs is all that it installs: a test holds that there are no dependencies (test/package.test.ts). */
async function packed(): Promise<Installed> {
  const args = ['pack', '--json', '--dry-run', '--ignore-scripts', '--offline'];
  const { stdout } = await promisify(execFile)('npm', args, { cwd: project });
  const [{ unpackedSize, entryCount }] = JSON.parse(stdout) as [{ unpackedSize: number; entryCount: number }];
  return { bytes: unpackedSize, files: entryCount, packages: 1 };
}

/** A package and all that it depends on, as npm has put them below this project. */
async function withDependencies(manifest: string): Promise<Installed> {
  const manifests = new Set([manifest]);
  const total: Installed = { bytes: 0, files: 0, packages: 0 };
  for (const path of manifests) {
    const { dependencies = {} } = JSON.parse(await readFile(path, 'utf8')) as { dependencies?: object };
    for (const name of Object.keys(dependencies)) manifests.add(manifestOf(name, dirname(path)));
    const { bytes, files } = await contentOf(dirname(path));
    total.bytes += bytes;
    total.files += files;
    total.packages += 1;
  }
  return total;
}

/** As Node.js looks for a package, but whether or not it exports its manifest. */
function manifestOf(name: string, from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name, 'package.json');
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) throw new Error(`${name} is not installed for ${from}`);
  }
}

/** Without the packages that are installed inside of it. */
async function contentOf(folder: string): Promise<Pick<Installed, 'bytes' | 'files'>> {
  const total = { bytes: 0, files: 0 };
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    const { bytes, files } = entry.isDirectory() ? await contentOf(path) : { bytes: (await stat(path)).size, files: 1 };
    total.bytes += bytes;
    total.files += files;
  }
  return total;
}
