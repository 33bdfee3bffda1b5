import { isDeepStrictEqual } from 'node:util';
import type { JsonClient } from './clients.ts';
import { type Change, type Damage, type Json, type JsonText, parseJsonText, valueAt, withValue } from './json-text.ts';
import type { Server } from './server.ts';
import { entryOf, pathOf } from './snippet.ts';

export interface Impossible extends Damage {
  kind: 'impossible';
  /** What the person can do. */
  remedy: string;
}

/** What has to change for a client to start the server as it is wanted. */
export type EntryEdit =
  | Impossible
  | {
      kind: 'possible';
      text: string;
      /** The members that change, as they were and as they are; none when everything is there already. */
      changes: readonly Omit<Change, 'text'>[];
      /** The offset of the first comment. */
      comment: number | undefined;
    };

/** `text`: of the client's file, without a byte order mark. Changes the entry of this server alone, and of that only what differs. */
export function editEntry(text: string, client: JsonClient, server: Server): EntryEdit {
  const parsed = parseJsonText(text, !client.strict);
  if ('what' in parsed) return { kind: 'impossible', ...parsed, remedy: 'correct it there' };
  const path = pathOf(client, server);
  const obstacle = obstacleOn(path, parsed);
  if (obstacle) return obstacle;

  const present = valueAt(parsed, path);
  const wanted = entryOf(client, server);
  const missing = present ? differences(present.value, wanted, path) : [{ path, value: wanted }];
  let current = parsed;
  const changes = missing.map(({ path: changed, value }) => {
    const { text: edited, ...shown } = withValue(current, changed, value);
    current = parseJsonText(edited, !client.strict) as JsonText;
    return shown;
  });
  return { kind: 'possible', text: current.text, changes, comment: parsed.comment };
}

/** What must not be overwritten. */
function obstacleOn(path: readonly string[], json: JsonText): Impossible | undefined {
  for (const depth of path.keys()) {
    const found = valueAt(json, path.slice(0, depth));
    const what = depth === 0 ? 'the whole' : `"${path[depth - 1]}"`;
    if (found && !isObject(found.value))
      return { kind: 'impossible', offset: found.offset, what: `${what} is not an object`, remedy: 'correct it there' };
  }
  const entry = valueAt(json, path);
  if (!entry || isOurs(entry.value)) return undefined;
  const what = `"${path.at(-1)}" is there already, and starts something else`;
  return { kind: 'impossible', offset: entry.offset, what, remedy: 'remove or rename that entry' };
}

function isOurs(entry: Json): boolean {
  if (!isObject(entry)) return false;
  const words = [entry.command, ...(Array.isArray(entry.args) ? entry.args : [])];
  return words.some((word) => typeof word === 'string' && /(^|[\\/])notion-mcp-bridge(@[^\\/]*)?($|[\\/])/.test(word));
}

/** Members that a person added stay, variables included. */
function differences(present: Json, wanted: Json, path: readonly string[]): { path: string[]; value: Json }[] {
  if (isObject(present) && isObject(wanted))
    return Object.entries(wanted).flatMap(([name, value]) =>
      name in present ? differences(present[name] as Json, value, [...path, name]) : [{ path: [...path, name], value }],
    );
  return isDeepStrictEqual(present, wanted) ? [] : [{ path: [...path], value: wanted }];
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
