// Writes where a release comes from (OWNER/NAME) into what is published: npm's provenance and the MCP registry compare it.
import { readFile, writeFile } from 'node:fs/promises';

const [repository = ''] = process.argv.slice(2);
if (!/^[\w-]+\/[\w.-]+$/.test(repository)) throw new Error('usage: node scripts/name-repository.mjs OWNER/NAME');
const [owner] = repository.split('/');
const url = `https://github.com/${repository}`;

await change('package.json', ({ name, ...rest }) => ({
  name,
  mcpName: registryName(name),
  ...rest,
  repository: { type: 'git', url: `git+${url}.git` },
  homepage: `${url}#readme`,
  bugs: `${url}/issues`,
}));
await change('server.json', ({ name, ...rest }) => ({
  ...rest,
  name: registryName(name.split('/').at(-1)),
  repository: { url, source: 'github' },
}));
await change('manifest.json', ({ privacy_policies, ...rest }) => ({
  ...rest,
  privacy_policies: [...privacy_policies, `${url}/blob/main/PRIVACY.md`],
  repository: { type: 'git', url },
  homepage: url,
  support: `${url}/issues`,
}));

/** The part of the MCP registry that belongs to a GitHub account. */
function registryName(name) {
  return `io.github.${owner}/${name}`;
}

async function change(file, apply) {
  const content = apply(JSON.parse(await readFile(file, 'utf8')));
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`);
}
