// The licences of the packages inside the bundle ask to travel with it.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The text for the packages that gave at least one byte to esbuild's output. */
export async function thirdPartyLicenses({ outputs }) {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs));
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => folderOf(path));
  const folders = [...new Set(used)].filter((folder) => folder !== undefined).sort();
  const entries = await Promise.all(folders.map(entry));
  return `${['dist/bridge.mjs contains these packages, under these licences.', ...entries].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

/** `node_modules/a/node_modules/@b/c`, or undefined for a file of our own. */
function folderOf(path) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

async function entry(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|copying|notice)(\.|$)/i.test(file));
  if (files.length === 0) throw new Error(`${name} ${version} is bundled, but has no licence file in ${folder}`);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return [`${name} ${version} (${license})`, ...texts.map((text) => text.trim())].join('\n\n');
}
