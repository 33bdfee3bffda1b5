import { openConnection } from '../bridge.ts';
import { locate } from '../credentials/location.ts';
import { listRecords, type StoredRecord } from '../credentials/record-list.ts';
import { describe } from '../errors.ts';
import type { Command, CommandContext } from './command.ts';
import { type Facts, factsOf } from './status-facts.ts';
import { type ListedFacts, listText } from './status-list-text.ts';
import { statusText } from './status-text.ts';

/**
 * The story of the connection, for a person or a program; of all of them where none is named. Exit code 0 when connected,
 * else 1.
 */
export const status: Command = (context) => (context.config.isNamed ? tellOne(context) : tellAll(context));

async function tellOne(context: CommandContext): Promise<0 | 1> {
  const { config, clock, print, ink } = context;
  const facts = await gather(context);
  print(config.json ? asJson(facts) : statusText(facts, clock.now(), ink));
  return facts.state === 'connected' ? 0 : 1;
}

/** A single connection is told whole; a program gets a list whatever the number. */
async function tellAll(context: CommandContext): Promise<0 | 1> {
  const { config, clock, print, ink } = context;
  const { folder, profile, upstreamUrl, json } = config;
  const records = listRecords(folder);
  const [only] = records;
  const isDefault = only === undefined || only.path === locate(folder, profile, upstreamUrl).record;
  if (!json && records.length <= 1 && isDefault) return tellOne(context);
  const connections = await Promise.all(records.map((record) => gatherListed(context, record)));
  const [first] = connections;
  if (json) print(asJson({ folder, connections }));
  else if (connections.length === 1 && first && 'counted' in first) print(statusText(first, clock.now(), ink));
  else print(listText(connections, config, { now: clock.now(), ink }));
  return isWell(connections) ? 0 : 1;
}

/** What the person ended is no trouble as long as anything is connected. */
function isWell(connections: ListedFacts[]): boolean {
  const states = connections.map(({ state }) => state);
  return states.includes('connected') && !states.some((state) => state === 'needs_reconnect' || state === 'unreadable');
}

async function gatherListed(
  context: CommandContext,
  { path, profile, upstreamUrl, trouble }: StoredRecord,
): Promise<ListedFacts> {
  const unreadable = (why: string) => ({ state: 'unreadable', profile, record: path, trouble: why }) as const;
  if (!upstreamUrl) return unreadable(trouble ?? 'it cannot be used');
  const config = { ...context.config, profile, upstreamUrl };
  return gather({ ...context, config }).catch((error) => unreadable(describe(error)));
}

async function gather(context: CommandContext): Promise<Facts> {
  const connection = openConnection(context);
  try {
    return factsOf(await connection.store.load(), connection, context);
  } finally {
    connection.store.close();
  }
}

function asJson(answer: object): string {
  return `${JSON.stringify(answer, undefined, 2)}\n`;
}
