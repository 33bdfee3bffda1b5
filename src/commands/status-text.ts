import { oneLine } from '../log.ts';
import { type Ink, plainInk } from './ink.ts';
import { distance, plural, readableTime } from './readable-time.ts';
import type { Facts } from './status-facts.ts';

/** A sign-in link can be long. */
const longestLine = 4_000;

/** The facts for a person: one line each, and none for what does not apply. */
export function statusText(facts: Facts, now: number, ink: Ink = plainInk): string {
  const at = (iso: string | undefined) => iso && readableTime(iso, now);
  const lines: [string, string | undefined][] = [
    ['state', facts.state.replace('_', ' ') + (facts.reason === undefined ? '' : ` (${facts.reason})`)],
    ['since', at(facts.ended)],
    ['workspace', facts.workspace],
    ['server', facts.upstream],
    ['profile', facts.profile],
    ['signed in', at(facts.signedIn)],
    ['probable end', at(facts.grantExpectedToEnd)],
    ['last refresh', at(facts.refreshed)],
    ['next refresh', nextRefresh(facts, now)],
    ['refreshing', refreshUnderWay(facts, now)],
    ['sign-in', signIn(facts, now)],
    ['link', facts.signIn?.link],
    ['counted', counted(facts, now)],
    ['failures', failures(facts, now)],
    ['lock', facts.lock ? `held by ${nameOf(facts.lock)}` : 'nobody holds it'],
    ...running(facts, now),
    ['record', facts.record],
    ['next step', facts.next],
  ];
  const shown = lines.filter((line): line is [string, string] => line[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length)) + 2;
  return shown
    .map(([name, value]) => {
      const text = oneLine(value, longestLine);
      return `${ink.dim(name.padEnd(width))}${inkOf(name, facts, ink)(text)}\n`;
    })
    .join('');
}

function inkOf(name: string, { state }: Facts, ink: Ink): (text: string) => string {
  if (name === 'link') return ink.link;
  if (name === 'state') return stateInk(state, ink);
  return name === 'next step' ? ink.warn : (text) => text;
}

export function stateInk(state: string, ink: Ink): (text: string) => string {
  if (state === 'connected') return ink.good;
  return state === 'signed_out' || state === 'declined' ? ink.warn : ink.bad;
}

/** Depends on who runs: a bridge in use refreshes ahead, an idle one once a day, and without one nobody does. */
function nextRefresh(facts: Facts, now: number): string | undefined {
  const { nextRefresh: next, refreshTokenRejected: rejected, accessTokenExpires: expires } = facts;
  if (facts.state !== 'connected' || expires === undefined) return undefined;
  if (rejected) return `none: the server rejected the refresh token ${distance(rejected.at, now)} (${rejected.code})`;
  if (!next) return 'none: the server issued no refresh token';
  // The token may have been rotated: it is not presented again while the access token works (product.md 6.5).
  if (facts.refreshUnderWay?.outcome === 'unknown') return `when the access token ends, ${readableTime(expires, now)}`;
  const isDue = Date.parse(next.whenUsed) <= now;
  const isServed = facts.processes.some(({ kind }) => kind === 'server');
  if (isDue) return 'when next used';
  if (!isServed) return `when next used, at the earliest ${distance(next.whenUsed, now)}`;
  return `${distance(next.whenUsed, now)} if used, else ${distance(next.whenIdle, now)}`;
}

function refreshUnderWay({ refreshUnderWay: mark }: Facts, now: number): string | undefined {
  if (!mark) return undefined;
  const what = mark.outcome === 'unknown' ? 'the outcome is unknown;' : 'under way;';
  return `${what} sent by ${nameOf(mark)} ${distance(mark.since, now)}`;
}

function signIn({ signIn: pending }: Facts, now: number): string | undefined {
  return pending && `waits for you; begun ${distance(pending.since, now)} by ${nameOf(pending)}`;
}

function counted({ counted: { since, refreshes, signIns, tabsOpened } }: Facts, now: number): string | undefined {
  if (since === undefined) return undefined;
  const counts = [
    `${refreshes} ${refreshes === 1 ? 'refresh' : 'refreshes'}`,
    plural(signIns, 'sign-in'),
    `${plural(tabsOpened, 'tab')} opened`,
  ];
  return `${counts.join(', ')}, since ${readableTime(since, now)}`;
}

function failures({ counted: { failures: byCode, lastFailure } }: Facts, now: number): string | undefined {
  const counts = Object.entries(byCode).map(([code, count]) => `${count} × ${code}`);
  if (counts.length === 0) return undefined;
  const last = lastFailure ? `; the last ${distance(lastFailure.at, now)} (${lastFailure.code})` : '';
  return `${counts.join(', ')}${last}`;
}

function running({ processes }: Facts, now: number): [string, string][] {
  const columns = processes.map(({ kind, client, since, ...who }) => [
    nameOf(who),
    client === undefined ? kind : `${kind} of ${client}`,
    `since ${readableTime(since, now)}`,
  ]);
  const widthOf = (column: number) => Math.max(...columns.map((row) => row[column]?.length ?? 0)) + 2;
  const rows = columns.map((row) =>
    row
      .map((text, column) => text.padEnd(widthOf(column)))
      .join('')
      .trimEnd(),
  );
  return rows.length === 0 ? [['running', 'no process']] : rows.map((row, nth) => [nth === 0 ? 'running' : '', row]);
}

function nameOf({ pid, elsewhere }: { pid: number; elsewhere?: true }): string {
  return `pid ${pid}${elsewhere ? ' (on another machine or in another container)' : ''}`;
}
