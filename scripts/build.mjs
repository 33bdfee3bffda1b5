// Bundles the bridge into one file that runs without installing anything (product.md 12).
import { chmod, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { thirdPartyLicenses } from './third-party-licenses.mjs';

const { metafile } = await build({
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/cli.js',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // CommonJS packages inside the bundle ask for Node's own modules.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
  },
  logLevel: 'warning',
  metafile: true,
});
await chmod('dist/cli.js', 0o755);
await writeFile('dist/THIRD-PARTY-LICENSES.txt', await thirdPartyLicenses(metafile));
