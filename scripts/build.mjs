// Bundles the bridge into one file, and the entry that runs it, without installing anything (product.md 12).
import { chmod, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { thirdPartyLicenses } from './third-party-licenses.mjs';
import { withoutUnused } from './without-unused.mjs';

/** CommonJS packages inside the bundle ask for Node's own modules. */
const requireForCommonJs =
  "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);";

/** Any Node.js may be told to run the entry, an old one of the system, too (clients.md): nothing in it is newer than Node.js 12. */
const entry = `#!/usr/bin/env node
if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error('notion-mcp-bridge: needs Node.js 20 or newer, and this is ' + process.version + ' (CONFIG_INVALID)\\n  next: install a newer Node.js from https://nodejs.org');
  process.exit(2);
} else {
  import('./bridge.mjs');
}
`;

const { metafile } = await build({
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/bridge.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Its main entry is UMD, whose own parts no bundler finds (microsoft/node-jsonc-parser issue 57).
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  banner: { js: requireForCommonJs },
  logLevel: 'warning',
  metafile: true,
  plugins: [withoutUnused],
});
await writeFile('dist/cli.js', entry);
await chmod('dist/cli.js', 0o755);
await writeFile('dist/THIRD-PARTY-LICENSES.txt', await thirdPartyLicenses(metafile));
