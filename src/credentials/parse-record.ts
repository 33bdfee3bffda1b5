import { type ConnectionRecord, schemaVersion } from './record.ts';

export type ReadRecord = { kind: 'record'; record: ConnectionRecord } | { kind: 'damaged' } | { kind: 'newer' };

/** Takes what a file held. A newer schema stays untouched (product.md 5); whatever else is not a record is damaged. */
export function parseRecord(value: unknown): ReadRecord {
  if (!isObject(value) || typeof value.schema !== 'number') return { kind: 'damaged' };
  if (value.schema > schemaVersion) return { kind: 'newer' };
  const sound =
    isText(value.upstreamUrl) &&
    Number.isInteger(value.generation) &&
    ['connected', 'needs_reconnect', 'signed_out', 'declined'].includes(value.state as string) &&
    isListOf(value.tabsOpened, isText) &&
    isListOf(value.history, isEndedGrant) &&
    (value.grant === undefined || isGrant(value.grant)) &&
    (value.pendingSignIn === undefined || isPendingSignIn(value.pendingSignIn)) &&
    (value.refreshUnderWay === undefined || isRefreshUnderWay(value.refreshUnderWay));
  return sound ? { kind: 'record', record: value as unknown as ConnectionRecord } : { kind: 'damaged' };
}

function isGrant(value: unknown): boolean {
  if (!isObject(value) || !isObject(value.tokens)) return false;
  const { tokens } = value;
  return (
    [value.issuer, value.resource, value.redirectUri, tokens.access_token].every(isText) &&
    [value.authorizedAt, value.refreshedAt, tokens.issuedAt, tokens.expiresAt].every(Number.isFinite) &&
    (tokens.refresh_token === undefined || isText(tokens.refresh_token)) &&
    isIssuedClient(value) &&
    isObject(value.identity) &&
    isListOf(value.rejections, (one) => isObject(one) && isText(one.fingerprint) && isText(one.oauthError)) &&
    (value.previous === undefined || isText(value.previous)) &&
    (value.alternate === undefined || isAlternate(value.alternate))
  );
}

function isAlternate(value: unknown): boolean {
  return isObject(value) && isText(value.refresh_token) && isText(value.client_id);
}

function isEndedGrant(value: unknown): boolean {
  return isObject(value) && isText(value.client_id);
}

function isPendingSignIn(value: unknown): boolean {
  if (!isObject(value) || ![value.id, value.need].every(isText) || !isOwner(value.owner)) return false;
  const { prepared } = value;
  if (prepared === undefined) return true;
  return (
    isObject(prepared) &&
    isIssuedClient(prepared) &&
    isListOf(prepared.attempts, (one) => isObject(one) && isText(one.state) && isText(one.codeVerifier)) &&
    [prepared.redirectUri, prepared.url, prepared.resource].every(isText) &&
    Number.isInteger(prepared.port)
  );
}

function isIssuedClient(value: Record<string, unknown>): boolean {
  const { registration, authorizationServer } = value;
  return (
    isObject(registration) &&
    isText(registration.client_id) &&
    isObject(authorizationServer) &&
    isText(authorizationServer.issuer)
  );
}

function isRefreshUnderWay(value: unknown): boolean {
  return isObject(value) && isText(value.fingerprint) && isOwner(value.owner) && Number.isFinite(value.since);
}

function isOwner(value: unknown): boolean {
  return isObject(value) && isText(value.nonce) && isText(value.place) && Number.isInteger(value.pid);
}

function isListOf(value: unknown, holds: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(holds);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
