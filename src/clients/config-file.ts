import { lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BridgeError, describe, errnoOf } from '../errors.ts';
import { writeWhole } from '../whole-file.ts';
import type { Disk } from './places.ts';

export const disk: Disk = {
  // A link that leads nowhere is there, too.
  has: (path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined,
  list: (folder) => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
};

const byteOrderMark = '\uFEFF';

/** The configuration of a client as it was read. */
export interface ConfigFile {
  /** As the person knows it; it may be a link. */
  path: string;
  /** Undefined when there is no file yet. */
  bytes: Buffer | undefined;
  /** Without its byte order mark. */
  text: string;
  hasByteOrderMark: boolean;
}

/** @throws BridgeError CONFIG_INVALID */
export function readConfigFile(path: string): ConfigFile {
  const bytes = contentOf(path);
  const text = bytes ? decoded(bytes, path) : '';
  const hasByteOrderMark = text.startsWith(byteOrderMark);
  return { path, bytes, text: hasByteOrderMark ? text.slice(1) : text, hasByteOrderMark };
}

export interface Saved {
  /** Where the file is as it was; undefined when there was none. */
  backup: string | undefined;
  madeFolder: boolean;
}

/**
 * Puts a new text into the file, if nobody else changed it meanwhile, and keeps what was there in a backup beside it.
 * @throws BridgeError CONFIG_INVALID; the file is untouched then, and there is no backup.
 */
export async function saveConfigFile({ path, bytes, ...file }: ConfigFile, text: string, now: number): Promise<Saved> {
  let backup: string | undefined;
  try {
    const madeFolder = mkdirSync(dirname(path), { recursive: true, mode: 0o700 }) !== undefined;
    if (bytes) backup = await keepBackup(path, bytes, now);
    const after = Buffer.from(file.hasByteOrderMark ? `${byteOrderMark}${text}` : text);
    await writeWhole(bytes ? writable(path) : path, after, {
      // Whoever made the file chose its mode; in one that we make there may be the way to a proxy.
      ...(!bytes && { mode: 0o600 }),
      beforeItCounts: () => requireSame(path, bytes),
    });
    return { backup, madeFolder };
  } catch (error) {
    if (backup) rmSync(backup, { force: true });
    throw error instanceof BridgeError ? error : unusable('write', path, error);
  }
}

function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' && !disk.has(path)) return undefined;
    throw unusable('read', path, error);
  }
}

function decoded(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new BridgeError('CONFIG_INVALID', `${path} is not in UTF-8`, {
      cause,
      hint: 'save it as UTF-8, then try again; nothing was changed',
    });
  }
}

async function keepBackup(path: string, bytes: Buffer, now: number): Promise<string> {
  const backup = `${path}.backup-${new Date(now).toISOString().replace(/[:.]/g, '-')}`;
  const file = await open(backup, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
    return backup;
  } catch (error) {
    rmSync(backup, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** The file itself where the path is a link, as managers of dotfiles make them: the link stays. */
function writable(path: string): string {
  const file = realpathSync(path);
  if ((statSync(file).mode & 0o222) !== 0) return file;
  throw new BridgeError('CONFIG_INVALID', `${file} is write-protected`, {
    hint: 'whoever made it so may write it anew; make it writable, or change it where it comes from',
  });
}

function requireSame(path: string, before: Buffer | undefined): void {
  const now = contentOf(path);
  if (now === undefined ? before === undefined : before?.equals(now)) return;
  throw new BridgeError('CONFIG_INVALID', `${path} was changed by another program just now`, {
    hint: 'try again; nothing was changed',
  });
}

function unusable(verb: 'read' | 'write', path: string, error: unknown): BridgeError {
  return new BridgeError('CONFIG_INVALID', `could not ${verb} ${path} (${errnoOf(error) ?? describe(error)})`, {
    cause: error,
    hint: 'check that the file and its folder exist and are yours; nothing was changed',
  });
}
