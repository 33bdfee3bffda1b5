import { type Config, forConnection } from '../config.ts';
import { oneLine } from '../log.ts';
import type { Ink } from './ink.ts';
import { distance } from './readable-time.ts';
import type { Facts } from './status-facts.ts';
import { stateInk } from './status-text.ts';

/** A record in the folder that cannot be used as it is. */
export interface UnreadableFacts {
  state: 'unreadable';
  profile: string;
  record: string;
  /** Why. */
  trouble: string;
}

export type ListedFacts = Facts | UnreadableFacts;

const longestCell = 60;
const gap = 2;

/** All connections for a person: one line each, then what there is to do. */
export function listText(all: ListedFacts[], config: Config, { now, ink }: { now: number; ink: Ink }): string {
  const rows = [['PROFILE', 'STATE', 'WORKSPACE', 'LAST REFRESH', 'SERVER'], ...all.map((one) => cellsOf(one, now))];
  const widths = rows[0]?.map((_title, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)) + gap) ?? [];
  const lines = rows.map((row, nth) => {
    const cells = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    const one = all[nth - 1];
    if (!one) return ink.dim(cells.join('').trimEnd());
    const [profile = '', state = '', ...rest] = cells;
    return `${profile}${stateInk(one.state, ink)(state)}${rest.join('')}`.trimEnd();
  });
  const more = forConnection({ ...config, profile: 'NAME' }, '`npx -y notion-mcp-bridge status`');
  return [
    ...lines,
    '',
    ...all.flatMap((one) => nextOf(one, ink)),
    `records in ${oneLine(config.folder)}; ${more} tells more of one`,
    '',
  ].join('\n');
}

function cellsOf(one: ListedFacts, now: number): string[] {
  if (!('counted' in one)) return [one.profile, one.state, '', '', one.record];
  const { profile, state, reason, workspace = '', refreshed, upstream } = one;
  const why = reason === undefined ? '' : ` (${reason})`;
  const when = refreshed === undefined ? '' : distance(refreshed, now);
  return [profile, `${state.replace('_', ' ')}${why}`, workspace, when, upstream].map((cell) =>
    oneLine(cell, longestCell),
  );
}

function nextOf(one: ListedFacts, ink: Ink): string[] {
  if (!('counted' in one)) return [ink.bad(`${one.profile}: ${oneLine(one.trouble)}`)];
  if (one.next === undefined || one.state === 'signed_out') return [];
  const link = one.signIn?.link;
  return [
    ink.warn(`${one.profile}: ${oneLine(one.next)}`),
    ...(link === undefined ? [] : [`  ${ink.link(oneLine(link, 4_000))}`]),
  ];
}
