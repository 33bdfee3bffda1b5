import type { Processes } from './owner.ts';
import {
  type ConnectionRecord,
  fingerprint,
  type Grant,
  isConnected,
  type RefreshUnderWay,
  type Rejection,
  type TokenSet,
} from './record.ts';

const longestMargin = 600_000;
const shortestMargin = 5_000;
/** A refresh request is given up after this long (product.md 6.2). */
export const refreshTimeLimit = 60_000;
/**
 * A living owner that says nothing stands still, and has the answer, perhaps; or its process id is another's by now. It is
 * waited for in time in which the waiter ran: after sleep both of them have just woken up.
 */
export const ownerPatience = 600_000;
/** One on another machine or in another container cannot be asked: it has its time limit, and some time to write. */
const strangerPatience = refreshTimeLimit + 15_000;
/** An idle bridge refreshes once its last refresh is this old, so that the grant stays alive (product.md 6.3). */
export const idleRefreshAfter = 24 * 3_600_000;

/** How long before expiry a refresh is due, ms. `spread` in [0, 1) keeps processes from lining up (product.md 6.1). */
export function refreshMargin(tokens: TokenSet, spread: number): number {
  const lifetime = tokens.expiresAt - tokens.issuedAt;
  const margin = Math.min(longestMargin, Math.max(shortestMargin, lifetime / 10)) * (1 - spread / 4);
  return Math.max(0, Math.min(margin, lifetime / 2));
}

export type Freshness = 'fresh' | 'ageing' | 'ended';

export function freshness(tokens: TokenSet, now: number, spread: number): Freshness {
  if (now >= tokens.expiresAt) return 'ended';
  return now >= tokens.expiresAt - refreshMargin(tokens, spread) ? 'ageing' : 'fresh';
}

/**
 * How far the grant's access token is. Where nothing could renew it, it serves until the server refuses it, whatever
 * lifetime was told or assumed (product.md 6.7).
 */
export function freshnessOf(
  grant: Grant,
  { now, spread, refused }: Pick<Circumstances, 'now' | 'spread' | 'refused'>,
): Freshness {
  if (refused !== undefined && refused === fingerprint(grant.tokens.access_token)) return 'ended';
  return isRenewable(grant) ? freshness(grant.tokens, now, spread) : 'fresh';
}

/** False when the server never gave anything to refresh with. */
export function isRenewable(grant: Grant): boolean {
  return [grant.tokens.refresh_token, grant.alternate, grant.previous].some((one) => one !== undefined);
}

/** The server's rejection of the refresh token that would be presented next, if there is one. */
export function rejectionOf({ tokens, rejections }: Grant): Rejection | undefined {
  const current = tokens.refresh_token === undefined ? undefined : fingerprint(tokens.refresh_token);
  return rejections.findLast((rejection) => rejection.fingerprint === current);
}

/** When the grant is refreshed next, ms since the epoch: by a bridge in use, and by an idle one. */
export function nextRefresh({ tokens, refreshedAt }: Grant): { whenUsed: number; whenIdle: number } {
  return { whenUsed: tokens.expiresAt - refreshMargin(tokens, 0), whenIdle: refreshedAt + idleRefreshAfter };
}

export interface Circumstances {
  now: number;
  spread: number;
  /** The fingerprint of an access token that upstream answered with 401. */
  refused?: string | undefined;
  /** Refresh although the access token is fresh, unless somebody refreshed after this time (an idle bridge's daily refresh). */
  refreshedBefore?: number | undefined;
  processes: Pick<Processes, 'mayAnswer' | 'isElsewhere'>;
  /** How long this process has waited for the outcome of a mark, ms. */
  waitedFor(mark: RefreshUnderWay): number;
}

export type RefreshPlan =
  /** The record's access token serves. */
  | { kind: 'use' }
  /** Nobody is signed in. */
  | { kind: 'signed-out' }
  /** Another process, alive, has a refresh under way and will store its outcome. */
  | { kind: 'wait' }
  | { kind: 'present'; refreshToken: string }
  /** Nothing is left that the server might take. */
  | { kind: 'give-up'; reason: string };

/** Decides, from the record alone, what the holder of the lock does next (product.md 6.2 to 6.6). */
export function planRefresh(record: ConnectionRecord, at: Circumstances): RefreshPlan {
  if (!isConnected(record)) return { kind: 'signed-out' };
  const { grant, refreshUnderWay } = record;
  const state = freshnessOf(grant, at);
  if (!isDue(grant, at)) return { kind: 'use' };
  if (refreshUnderWay) {
    if (mayStillResolve(refreshUnderWay, at)) return state === 'ended' ? { kind: 'wait' } : { kind: 'use' };
    // The server may have rotated: the same token goes out again only when there is nothing left to lose (6.5).
    if (state !== 'ended') return { kind: 'use' };
  }
  return planPresentation(grant, state === 'ended');
}

/** Whether a refresh is due; it may still be withheld, for what else the record says. */
export function isDue(grant: Grant, at: Omit<Circumstances, 'processes' | 'waitedFor'>): boolean {
  const isOld = at.refreshedBefore !== undefined && grant.refreshedAt < at.refreshedBefore;
  return isOld || freshnessOf(grant, at) !== 'fresh';
}

function planPresentation(grant: Grant, accessEnded: boolean): RefreshPlan {
  const current = grant.tokens.refresh_token;
  if (current !== undefined && !isRejected(grant, current)) return { kind: 'present', refreshToken: current };
  if (!accessEnded) return { kind: 'use' };
  const alternate =
    grant.alternate?.client_id === grant.registration.client_id ? grant.alternate.refresh_token : undefined;
  const last = [alternate, grant.previous].find((token) => token !== undefined && !isRejected(grant, token));
  if (last !== undefined) return { kind: 'present', refreshToken: last };
  return { kind: 'give-up', reason: grant.rejections.at(-1)?.oauthError ?? 'no_refresh_token' };
}

function isRejected(grant: Grant, token: string): boolean {
  return grant.rejections.some((rejection) => rejection.fingerprint === fingerprint(token));
}

function mayStillResolve(mark: RefreshUnderWay, { now, processes, waitedFor }: Circumstances): boolean {
  if (mark.outcome !== undefined || !processes.mayAnswer(mark.owner)) return false;
  if (processes.isElsewhere(mark.owner)) return Math.abs(now - mark.since) < strangerPatience;
  return waitedFor(mark) < ownerPatience;
}
