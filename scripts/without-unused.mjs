// What bundled packages load at start and never use here, in every process: more than the rest of the bundle weighs.

const absent = (name) => `throw new Error('${name} is not part of this bundle')`;

/** A module for each that fails loudly when it is used after all. */
const replacements = {
  // conf checks what it reads against a schema; it is given none (src/credentials/parse-record.ts checks).
  'ajv/dist/2020.js': `export class Ajv2020 { constructor() { ${absent('ajv')}; } }`,
  'ajv-formats': `export default () => { ${absent('ajv-formats')}; };`,
  // conf migrates between versions of an app; it is given none.
  semver: `export default new Proxy({}, { get() { ${absent('semver')}; } });`,
  // https-proxy-agent would write the proxy's URL, with its password, to stderr where DEBUG is set (P10).
  debug: 'export default () => () => undefined;',
};

/** For esbuild. */
export const withoutUnused = {
  name: 'without-unused',
  setup(build) {
    const names = Object.keys(replacements).map((name) => name.replaceAll('.', '\\.'));
    build.onResolve({ filter: new RegExp(`^(${names.join('|')})$`) }, ({ path }) => ({ path, namespace: 'unused' }));
    build.onLoad({ filter: /.*/, namespace: 'unused' }, ({ path }) => ({ contents: replacements[path] }));
  },
};
