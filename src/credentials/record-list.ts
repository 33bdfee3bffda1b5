import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BridgeError, describe, errnoOf, unreadable } from '../errors.ts';
import { locate, profileOf } from './location.ts';
import { createRecordFile } from './record-file.ts';

/** A record as its file tells of it; without `upstreamUrl` where it cannot be used as it is. */
export interface StoredRecord {
  path: string;
  profile: string;
  upstreamUrl?: URL;
  /** Why it cannot be used. */
  trouble?: string;
}

/** Every record in the folder, by name; nothing is changed. @throws BridgeError CREDENTIALS_UNREADABLE */
export function listRecords(folder: string): StoredRecord[] {
  return namesIn(folder)
    .sort()
    .flatMap((name) => {
      const profile = profileOf(name);
      return profile === undefined ? [] : [lookAt(join(folder, name), profile)];
    });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw unreadable('read', folder, error);
  }
}

function lookAt(path: string, profile: string): StoredRecord {
  try {
    const found = createRecordFile(path).read();
    if (found.kind !== 'record') return { path, profile, trouble: troubles[found.kind] };
    const { upstreamUrl: given } = found.record;
    const upstreamUrl = URL.canParse(given) ? new URL(given) : undefined;
    // Its name is made of the URL: a record under another name is used by nobody.
    const isAtHome = upstreamUrl && basename(locate('', profile, upstreamUrl).record) === basename(path);
    return isAtHome ? { path, profile, upstreamUrl } : { path, profile, trouble: `it belongs to ${given}` };
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    return { path, profile, trouble: describe(error) };
  }
}

const troubles = {
  absent: 'it was removed just now',
  damaged: 'it is damaged; whoever uses it next moves it aside',
  newer: 'it was written by a newer version of notion-mcp-bridge',
};
