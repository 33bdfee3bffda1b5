// Node module hooks (`module.register`). They run in Node's loader thread, which in Node 20 cannot read TypeScript.

const LIBRARY = '/@cloudflare/workers-oauth-provider/dist/oauth-provider.js';

const WORKERS_MODULE = `data:text/javascript,${encodeURIComponent(
  'export class WorkerEntrypoint { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }',
)}`;

// Lexical bindings shadow the globals for the library alone. On its first line, so that stack traces keep their numbers.
const PRELUDE =
  "const { Date, fetch, Cloudflare, console } = globalThis[Symbol.for('embedded-upstream.worker-globals')];";

export function resolve(specifier, context, next) {
  if (specifier !== 'cloudflare:workers') return next(specifier, context);
  return { url: WORKERS_MODULE, format: 'module', shortCircuit: true };
}

export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (!new URL(url).pathname.endsWith(LIBRARY)) return loaded;
  return { ...loaded, source: PRELUDE + Buffer.from(loaded.source).toString('utf8') };
}
