import type { TokenEndpointResponse } from 'oauth4webapi';
import type { RefreshOutcome } from '../oauth/refresh.ts';
import {
  type ConnectionRecord,
  endGrant,
  fingerprint,
  type Grant,
  isConnected,
  type PreparedSignIn,
  type RefreshUnderWay,
  type Rejection,
  type TokenSet,
} from './record.ts';
import { refreshTimeLimit } from './refresh-plan.ts';

/** A response without `expires_in` counts as one hour (product.md 6.7). */
const assumedLifetime = 3_600_000;
const rejectionsKept = 8;
const standardMembers = /^(access_token|refresh_token|id_token|token_type|expires_in|scope|resource)$/;

/** What an approval brought. */
export interface RedeemedCode {
  prepared: PreparedSignIn;
  requestedScope: string | undefined;
  response: TokenEndpointResponse;
  /** When the code was sent: from then on the lifetime counts, however long the answer took or was kept. */
  sentAt: number;
}

/** The record after a sign-in: the new grant in, the pending sign-in out, in one write. It wins over whatever was there. */
export function withNewGrant(record: ConnectionRecord, redeemed: RedeemedCode, now: number): ConnectionRecord {
  const { prepared, requestedScope, response, sentAt } = redeemed;
  const { reason: _reason, refreshUnderWay: _mark, pendingSignIn: _pending, ...rest } = record;
  const { port: _port, attempts: _attempts, url: _url, ...issuedBy } = prepared;
  const grant: Grant = {
    ...issuedBy,
    ...(requestedScope === undefined ? {} : { requestedScope }),
    tokens: tokensFrom(response, { sentAt, now }),
    rejections: [],
    authorizedAt: sentAt,
    refreshedAt: now,
    identity: identityFrom(response),
  };
  return {
    ...rest,
    state: 'connected',
    generation: record.generation + 1,
    grant,
    history: endGrant(record, record.reason ?? 'replaced', now),
  };
}

/** A refresh request as it was sent: what its outcome is compared with. */
export interface SentRefresh {
  clientId: string;
  /** Of the record when the token was read. */
  generation: number;
  refreshToken: string;
  mark: RefreshUnderWay;
  /** The mark that stood there before, left by a request whose outcome nobody knows. */
  earlierMark: RefreshUnderWay | undefined;
}

/**
 * The record once the outcome of a refresh is known (product.md 6.5, 6.6), whatever happened to it meanwhile: compare
 * and swap on the generation; an answer that comes too late is kept as `alternate`; a rejection ends only its token.
 */
export function withOutcome(
  record: ConnectionRecord,
  sent: SentRefresh,
  outcome: RefreshOutcome,
  now: number,
): ConnectionRecord {
  const { refreshUnderWay, ...unmarked } = record;
  const mine = refreshUnderWay?.owner.nonce === sent.mark.owner.nonce;
  const settled: ConnectionRecord = mine || !refreshUnderWay ? unmarked : record;
  const grant = record.grant?.registration.client_id === sent.clientId ? record.grant : undefined;
  switch (outcome.kind) {
    case 'renewed':
      return grant && record.generation === sent.generation && isOpenFor(record, grant, sent)
        ? withRenewedTokens({ ...unmarked, grant }, sent, outcome.response, now)
        : withAlternate(settled, sent.clientId, outcome.response, now);
    case 'rejected':
      return grant ? { ...settled, grant: withRejection(grant, sent.refreshToken, outcome.oauthError, now) } : settled;
    case 'unknown':
      return mine ? { ...record, refreshUnderWay: { ...sent.mark, outcome: 'unknown' } } : record;
    default:
      return mine && sent.earlierMark ? { ...record, refreshUnderWay: sent.earlierMark } : settled;
  }
}

/**
 * A grant that another process gave up, because the server rejected to it the very token that it answered here, lives:
 * that process robbed this one while it stood still, and presented what was rotated by then (P1).
 */
function isOpenFor(record: ConnectionRecord, grant: Grant, sent: SentRefresh): boolean {
  const presented = fingerprint(sent.refreshToken);
  const isWhy = (one: Rejection) => one.fingerprint === presented && one.oauthError === record.reason;
  return isConnected(record) || (record.state === 'needs_reconnect' && grant.rejections.some(isWhy));
}

function withRenewedTokens(
  { reason: _reason, ...record }: ConnectionRecord & { grant: Grant },
  { refreshToken: presented, mark }: SentRefresh,
  response: TokenEndpointResponse,
  now: number,
): ConnectionRecord {
  const { alternate, ...grant } = record.grant;
  const tokens = tokensFrom(response, { sentAt: mark.since, now }, presented);
  const scope = tokens.scope ?? grant.tokens.scope;
  const renewed: Grant = {
    ...grant,
    ...(alternate && alternate.refresh_token !== presented ? { alternate } : {}),
    tokens: { ...tokens, ...(scope === undefined ? {} : { scope }) },
    previous: presented,
    refreshedAt: now,
    identity: { ...grant.identity, ...identityFrom(response) },
  };
  return { ...record, state: 'connected', generation: record.generation + 1, grant: renewed };
}

function withAlternate(
  record: ConnectionRecord,
  clientId: string,
  response: TokenEndpointResponse,
  now: number,
): ConnectionRecord {
  if (!record.grant || response.refresh_token === undefined) return record;
  const alternate = { refresh_token: response.refresh_token, client_id: clientId, at: now };
  return { ...record, generation: record.generation + 1, grant: { ...record.grant, alternate } };
}

function withRejection(grant: Grant, presented: string, oauthError: string, now: number): Grant {
  const rejection: Rejection = { fingerprint: fingerprint(presented), oauthError, at: now };
  return { ...grant, rejections: [...grant.rejections, rejection].slice(-rejectionsKept) };
}

/** Nothing is left that the server might take. The credentials stay, for `status` and for whoever knows better. */
export function withNeedOfReconnect(record: ConnectionRecord, reason: string): ConnectionRecord {
  const { refreshUnderWay: _mark, ...rest } = record;
  return isConnected(record) ? { ...rest, state: 'needs_reconnect', reason } : record;
}

/** The record without credentials, after `logout`. */
export function withoutGrant(record: ConnectionRecord, now: number): ConnectionRecord {
  const { grant: _grant, refreshUnderWay: _mark, pendingSignIn: _pending, reason: _reason, ...rest } = record;
  return { ...rest, state: 'signed_out', generation: record.generation + 1, history: endGrant(record, 'logout', now) };
}

/** Even where a token lives shorter than its answer took: whoever waited for it may use it once. */
const shortestUse = 5_000;

function tokensFrom(
  response: TokenEndpointResponse,
  { sentAt, now }: { sentAt: number; now: number },
  presented?: string,
): TokenSet {
  const refreshToken = response.refresh_token ?? presented;
  const isPrompt = now - sentAt <= refreshTimeLimit;
  const lifetime = response.expires_in === undefined ? assumedLifetime : response.expires_in * 1000;
  return {
    access_token: response.access_token,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(response.scope === undefined ? {} : { scope: response.scope }),
    issuedAt: sentAt,
    expiresAt: isPrompt ? Math.max(sentAt + lifetime, now + Math.min(lifetime, shortestUse)) : sentAt + lifetime,
  };
}

/** Notion tells the workspace in extra members of the token answer. Only short texts, and nothing that looks like a secret. */
function identityFrom(response: TokenEndpointResponse): Record<string, string> {
  const members = Object.entries(response).filter(
    (member): member is [string, string] =>
      typeof member[1] === 'string' &&
      member[1].length <= 200 &&
      !standardMembers.test(member[0]) &&
      !/token|secret|key|code/i.test(member[0]),
  );
  return Object.fromEntries(members);
}
