import { isGone } from './lock.ts';
import {
  type ConnectionRecord,
  fingerprint,
  type Grant,
  isConnected,
  type RefreshUnderWay,
  type TokenSet,
} from './record.ts';

const longestMargin = 600_000;
const shortestMargin = 5_000;
/** A refresh request is given up after this long (product.md 6.2); its mark can still be resolved by a living owner until shortly after. */
export const refreshTimeLimit = 60_000;
const markGrace = 15_000;

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
export function freshnessOf(grant: Grant, { now, spread, refused }: Omit<Circumstances, 'refreshedBefore'>): Freshness {
  if (refused !== undefined && refused === fingerprint(grant.tokens.access_token)) return 'ended';
  const renewable = [grant.tokens.refresh_token, grant.alternate, grant.previous].some((one) => one !== undefined);
  return renewable ? freshness(grant.tokens, now, spread) : 'fresh';
}

export interface Circumstances {
  now: number;
  spread: number;
  /** The fingerprint of an access token that upstream answered with 401. */
  refused?: string | undefined;
  /** Refresh although the access token is fresh, unless somebody refreshed after this time (an idle bridge's daily refresh). */
  refreshedBefore?: number | undefined;
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
  const due = state !== 'fresh' || (at.refreshedBefore !== undefined && grant.refreshedAt < at.refreshedBefore);
  if (!due) return { kind: 'use' };
  if (refreshUnderWay) {
    if (mayStillResolve(refreshUnderWay, at.now)) return state === 'ended' ? { kind: 'wait' } : { kind: 'use' };
    // The server may have rotated: the same token goes out again only when there is nothing left to lose (6.5).
    if (state !== 'ended') return { kind: 'use' };
  }
  return planPresentation(grant, state === 'ended');
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

function mayStillResolve(mark: RefreshUnderWay, now: number): boolean {
  const age = now - mark.since;
  return mark.outcome === undefined && age >= 0 && age < refreshTimeLimit + markGrace && !isGone(mark.owner);
}
