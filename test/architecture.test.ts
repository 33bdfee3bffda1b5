import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

// The shape that style.md and docs/architecture.md promise.

const root = new URL('../src', import.meta.url).pathname;

interface Import {
  from: string;
  /** A path below src, or the name of a package. */
  to: string;
  typeOnly: boolean;
}

const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
const sourceOf = (file: string) => readFileSync(join(root, file), 'utf8');
/** Without comments, and with every text emptied: what is left of `process` there is code. */
const codeOf = (file: string) =>
  sourceOf(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");

const imports = files.flatMap((from): Import[] =>
  [...sourceOf(from).matchAll(/^(?:import|export)\s+(type\s)?(?:[\w*{}\s,]+?\sfrom\s+)?'([^']+)'/gm)].map(
    ([, type, specifier = '']) => ({
      from,
      to: specifier.startsWith('.') ? relative(root, join(root, dirname(from), specifier)) : specifier,
      typeOnly: type !== undefined,
    }),
  ),
);
const own = imports.filter(({ to }) => to.endsWith('.ts'));
const told = ({ from, to }: Import) => `${from} -> ${to}`;

/** From top to bottom; a file imports from its own layer and from those below. */
const layers: RegExp[] = [
  /^cli\.ts$/,
  /^commands\//,
  /^first-contact\.ts$/,
  /^bridge\.ts$/,
  /^sign-in(-[a-z]+)?\.ts$/,
  /^mcp\//,
  /^(token-source|refresh-flight|refusal-count|upkeep)\.ts$/,
  /^(oauth|credentials|clients)\//,
  /^(config|options|errors|log|log-file|clock|http|connections|whole-file)\.ts$/,
];
const layerOf = (file: string) => layers.findIndex((layer) => layer.test(file));

/** Imports that point upwards, each with its reason. */
const upward: Record<string, string> = {
  'config.ts -> credentials/location.ts': 'the default folder is part of the configuration',
  'config.ts -> oauth/registration.ts': 'the type of a client that the user brings along',
};

/** Which files may know a package, and which may know its types only. */
const fences: Record<string, { values: RegExp; types?: RegExp }> = {
  conf: { values: /^credentials\/record-file\.ts$/ },
  atomically: { values: /^(whole-file|credentials\/side-file)\.ts$/ },
  'jsonc-parser': { values: /^clients\/json-text\.ts$/ },
  'proper-lockfile': { values: /^credentials\/lock-folder\.ts$/ },
  'https-proxy-agent': { values: /^connections\.ts$/ },
  'proxy-from-env': { values: /^cli\.ts$/ },
  open: { values: /^oauth\/browser\.ts$/ },
  oauth4webapi: { values: /^oauth\//, types: /^credentials\/(record|grant)\.ts$/ },
};

/** Outside of cli.ts, and why. */
const touchesProcess: Record<string, string> = {
  'credentials/owner.ts': 'an owner is a process: its own id, and whether that of another still lives',
  'whole-file.ts': 'Windows cannot flush a folder',
};

test('every file belongs to a layer, and every layer has a file', () => {
  expect(files.filter((file) => layerOf(file) === -1)).toEqual([]);
  expect(layers.filter((layer) => !files.some((file) => layer.test(file)))).toEqual([]);
});

test('imports point downwards', () => {
  const wrong = own.filter(({ from, to }) => layerOf(to) < layerOf(from)).map(told);
  expect(wrong.sort()).toEqual(Object.keys(upward).sort());
});

test('nothing is imported in a circle, types included', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (path.includes(file) || done.has(file)) return;
    for (const { to } of own.filter(({ from }) => from === file)) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test('every package stays behind its fence', () => {
  const isBuiltin = (name: string) => name.startsWith('node:') || builtinModules.includes(name);
  const packages = imports.filter(({ to }) => !to.endsWith('.ts') && !to.endsWith('package.json') && !isBuiltin(to));
  const wrong = packages.filter(({ from, to, typeOnly }) => {
    const fence = fences[to];
    return !fence?.values.test(from) && !(typeOnly && fence?.types?.test(from));
  });
  expect(wrong.map(told)).toEqual([]);
  expect([...new Set(packages.map(({ to }) => to))].sort()).toEqual(Object.keys(fences).sort());
});

test('only the command line and few exceptions touch the process', () => {
  const touching = files.filter((file) => file !== 'cli.ts' && /(?<![.\w])process\b(?!['\s]*:)/.test(codeOf(file)));
  expect(touching.sort()).toEqual(Object.keys(touchesProcess).sort());
  expect(imports.filter(({ to }) => to === 'node:process').map(told)).toEqual([]);
});

test('only the clock and the composition look at the time', () => {
  const looking = files.filter((file) => /Date\.now|performance\.now|new Date\(\)/.test(codeOf(file)));
  // parseRetryAfter has it as the default of a parameter.
  expect(looking.sort()).toEqual(['clock.ts', 'oauth/refresh.ts']);
});

test.each(files)('%s has at most 250 lines, no default export, and passes nothing on', (file) => {
  const source = sourceOf(file);
  expect(source.trimEnd().split('\n').length).toBeLessThanOrEqual(250);
  expect(source).not.toMatch(/^export default\b/m);
  expect(source).not.toMatch(/^export (?:type )?(?:\*|\{[^}]*\}) from /m);
  expect(file).not.toMatch(/(^|\/)(utils?|helpers?|common|types|index)\.ts$/);
});
