// Bundles the bridge into one file that runs without installing anything (product.md 12).
import { chmod, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { thirdPartyLicenses } from './third-party-licenses.mjs';

/** CommonJS packages inside the bundle ask for Node's own modules. */
const requireForCommonJs =
  "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);";

/** The same file may be run by an old system Node (clients.md): a sentence instead of a stack trace. */
const guardAgainstOldNode = `if (Number(process.versions.node.split('.')[0]) < 20) {
  console.error('notion-mcp-bridge: needs Node.js 20 or newer, and this is ' + process.version + ' (CONFIG_INVALID)\\n  next: install a newer Node.js from https://nodejs.org');
  process.exit(2);
}`;

const { metafile } = await build({
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/cli.js',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Its main entry is UMD, whose own parts no bundler finds (microsoft/node-jsonc-parser issue 57).
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  banner: { js: [requireForCommonJs, guardAgainstOldNode].join('\n') },
  logLevel: 'warning',
  metafile: true,
});
await chmod('dist/cli.js', 0o755);
await writeFile('dist/THIRD-PARTY-LICENSES.txt', await thirdPartyLicenses(metafile));
