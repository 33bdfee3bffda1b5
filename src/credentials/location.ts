import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where everything about one profile at one upstream lives (product.md 5). */
export interface Location {
  folder: string;
  record: string;
  /** The lock of the record while somebody holds it. */
  lock: string;
  /** Expendable side files. */
  lists: string;
  counters: string;
  /** What the files begin with that tell which processes run. */
  running: string;
}

/**
 * One folder per user whatever environment a client passes, so neither XDG_* nor APPDATA has a say: a dot folder in the
 * home folder is the same for a terminal, for a stripped environment, and for Claude Desktop's MSIX build.
 */
export function defaultFolder(): string {
  return join(homedir(), '.notion-mcp-bridge');
}

export function locate(folder: string, profile: string, upstreamUrl: URL): Location {
  const digest = createHash('sha256').update(upstreamUrl.href).digest('hex').slice(0, 8);
  const name = `${profile}@${upstreamUrl.hostname.replace(/[^a-z0-9.-]/g, '_').slice(0, 60)}-${digest}`;
  const at = (suffix: string) => join(folder, `${name}${suffix}`);
  return {
    folder,
    record: at('.json'),
    lock: at('.json.lock'),
    lists: at('.lists.json'),
    counters: at('.counters.json'),
    running: at('.running-'),
  };
}

/** The profile whose record a file of this name is, or undefined where it is none. */
export function profileOf(name: string): string | undefined {
  return /^([a-z0-9][a-z0-9_-]*)@.+-[0-9a-f]{8}\.json$/.exec(name)?.[1];
}
