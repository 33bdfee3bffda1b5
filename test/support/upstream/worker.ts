import { AsyncLocalStorage } from 'node:async_hooks';
import { register } from 'node:module';
import type { Clock } from './clock.ts';

/** What one upstream gives the library in place of the Workers runtime. */
export interface World {
  clock: Clock;
  /** Client ID Metadata Documents by URL: all that the library can fetch. */
  documents: Map<string, unknown>;
  /** The only one that is at work at any time: telling worlds apart costs every promise of the process. */
  isAlone?: true;
}

export type ProviderLibrary = typeof import('@cloudflare/workers-oauth-provider');

const GLOBALS = Symbol.for('embedded-upstream.worker-globals');
const slots = globalThis as typeof globalThis & { [GLOBALS]?: WorkerGlobals };

interface WorkerGlobals {
  worlds: AsyncLocalStorage<World>;
  /** Instead of `worlds`, once a world is alone. */
  alone?: World;
  Date: DateConstructor;
  fetch: (url: string) => Promise<Response>;
  Cloudflare: { compatibilityFlags: Record<string, boolean> };
  console: Pick<Console, 'warn' | 'error'>;
}

/** Everything that `work` starts, however late it runs, sees this world's clock and documents. */
export function inWorld<T>(world: World, work: () => T): T {
  const globals = workerGlobals();
  if (!world.isAlone) return globals.worlds.run(world, work);
  globals.alone = world;
  return work();
}

export async function loadProviderLibrary(): Promise<ProviderLibrary> {
  workerGlobals();
  return import('@cloudflare/workers-oauth-provider');
}

// Kept on globalThis: Node loads the library once per thread, but a test runner may load this file again.
function workerGlobals(): WorkerGlobals {
  slots[GLOBALS] ??= install();
  return slots[GLOBALS];
}

function install(): WorkerGlobals {
  register('./worker-hooks.mjs', import.meta.url);
  const worlds = new AsyncLocalStorage<World>();
  const current = (): World => {
    const world = globals.alone ?? worlds.getStore();
    if (!world) throw new Error('the oauth library was called outside a world');
    return world;
  };
  const globals: WorkerGlobals = {
    worlds,
    Date: worldDate(() => current().clock.now()),
    fetch: async (url) => publishedDocument(current(), url),
    Cloudflare: { compatibilityFlags: { global_fetch_strictly_public: true } },
    // It warns of what clients do wrong, which tests do on purpose.
    console: { warn() {}, error: console.error },
  };
  return globals;
}

function worldDate(now: () => number): DateConstructor {
  return class extends Date {
    constructor(...parts: [] | [number]) {
      super(...((parts.length === 0 ? [now()] : parts) as [number]));
    }
    static override now(): number {
      return now();
    }
  } as DateConstructor;
}

function publishedDocument(world: World, url: string): Response {
  const document = world.documents.get(String(url));
  return document === undefined ? new Response(null, { status: 404 }) : Response.json(document);
}
