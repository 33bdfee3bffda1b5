import { createHash } from 'node:crypto';
import type { AuthorizationServer } from 'oauth4webapi';
import type { Owner } from './owner.ts';

export const schemaVersion = 1;

export type ConnectionState = 'connected' | 'needs_reconnect' | 'signed_out' | 'declined';

/** What RFC 7591 returned, or a client that the user brought along. Members we do not know are kept. */
export interface ClientRegistration {
  client_id: string;
  client_secret?: string;
  token_endpoint_auth_method?: string;
  /** When it was received, ms since the epoch. */
  registeredAt: number;
}

/** Token endpoint answer with absolute times, ms since the epoch, counted from when it was asked for. */
export interface TokenSet {
  access_token: string;
  refresh_token?: string;
  scope?: string;
  issuedAt: number;
  expiresAt: number;
}

/** A refresh token that the server rejected, by fingerprint, so that no process sends it again. */
export interface Rejection {
  fingerprint: string;
  oauthError: string;
  at: number;
}

/** What the user approved: the tokens together with the registration and the issuer they belong to (P2). */
export interface Grant {
  issuer: string;
  resource: string;
  resourceMetadataUrl?: string;
  authorizationServer: AuthorizationServer;
  registration: ClientRegistration;
  redirectUri: string;
  tokens: TokenSet;
  requestedScope?: string;
  /** The refresh token before the last rotation (product.md 6.6). */
  previous?: string;
  /** A refresh token whose answer lost its compare-and-swap (product.md 6.6). */
  alternate?: { refresh_token: string; client_id: string; at: number };
  rejections: Rejection[];
  authorizedAt: number;
  refreshedAt: number;
  /** Workspace and account: extra members of the token answer. Shown, never a key. */
  identity: Record<string, string>;
}

export interface RefreshUnderWay {
  /** Of the refresh token that was, or may have been, sent. */
  fingerprint: string;
  owner: Owner;
  since: number;
  /** Set when the owner itself learnt no outcome: the server may have rotated (product.md 6.5). */
  outcome?: 'unknown';
}

/** One authorization request of the pending sign-in; a callback names it by its `state`. */
export interface AuthorizationAttempt {
  state: string;
  codeVerifier: string;
}

export interface PendingSignIn {
  id: string;
  owner: Owner;
  since: number;
  /** What asked for it; one tab opens by itself per need (P5). */
  need: string;
  /** What to ask for; what the server offers when absent. */
  scope?: string;
  resourceMetadataUrl?: string;
  /** Asked for although connected: the refresh token of the grant it replaces is revoked afterwards. */
  again?: boolean;
  /** Present once the listener is bound and the client is registered. */
  prepared?: PreparedSignIn;
  /** A code is being redeemed, or was when its owner died: it is never redeemed again. */
  redeeming?: { fingerprint: string; since: number };
}

export interface PreparedSignIn {
  port: number;
  redirectUri: string;
  issuer: string;
  resource: string;
  resourceMetadataUrl?: string;
  authorizationServer: AuthorizationServer;
  registration: ClientRegistration;
  /** Newest last; older ones are still honoured when their code arrives. */
  attempts: AuthorizationAttempt[];
  /** The authorize URL of the newest attempt. */
  url: string;
}

export interface EndedGrant {
  client_id: string;
  authorizedAt: number;
  endedAt: number;
  why: string;
}

/** Everything about one profile at one upstream (product.md 3). Unknown members are kept. */
export interface ConnectionRecord {
  schema: number;
  /** The canonical upstream URL. */
  upstreamUrl: string;
  /** Grows with every token write. */
  generation: number;
  state: ConnectionState;
  /** Why it needs a reconnect: an OAuth error code, or a word of ours. */
  reason?: string;
  grant?: Grant;
  refreshUnderWay?: RefreshUnderWay;
  pendingSignIn?: PendingSignIn;
  /** The needs for which a tab was opened by itself, newest last. */
  tabsOpened: string[];
  history: EndedGrant[];
}

export function emptyRecord(upstreamUrl: string): ConnectionRecord {
  return { schema: schemaVersion, upstreamUrl, generation: 0, state: 'signed_out', tabsOpened: [], history: [] };
}

/** A short hash of a token: the only form in which a token is named outside the token set. */
export function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 12);
}

export function isConnected(record: ConnectionRecord): record is ConnectionRecord & { grant: Grant } {
  return record.state === 'connected' && record.grant !== undefined;
}

const brandNew = 60_000;

/** Issued just now: not every place of the server may know it yet (product.md 6.4, 6.6). Not so when the clock was set back. */
export function isBrandNew({ issuedAt }: TokenSet, now: number): boolean {
  return issuedAt <= now && now - issuedAt < brandNew;
}

/** Changes with every sign-in, and with `logout`, but not with a refresh. */
export function authorizationOf(record: ConnectionRecord): string {
  return isConnected(record) ? `${record.grant.registration.client_id} ${record.grant.authorizedAt}` : record.state;
}

/** The need of a sign-in (P5): an empty record, a dead grant, a scope step-up, a wish to sign in again. */
export function needOf(record: ConnectionRecord, why: { scope?: string | undefined; again?: boolean } = {}): string {
  const client = record.grant?.registration.client_id ?? record.history.at(-1)?.client_id;
  if (why.scope !== undefined) return `scope ${why.scope} ${client}`;
  if (why.again) return `again ${client}`;
  return client === undefined ? 'first' : `dead ${client}`;
}

/** Ends the grant, keeping a line about it without secrets. */
export function endGrant(record: ConnectionRecord, why: string, now: number): EndedGrant[] {
  if (!record.grant) return record.history;
  const { registration, authorizedAt } = record.grant;
  return [...record.history, { client_id: registration.client_id, authorizedAt, endedAt: now, why }].slice(-10);
}

/** A resource covers a URL of its own origin, at or below its path (RFC 8707, RFC 9728 section 3.3). */
export function covers(resource: string, url: string): boolean {
  if (!URL.canParse(resource)) return false;
  const outer = new URL(resource);
  const inner = new URL(url);
  const path = outer.pathname.replace(/\/$/, '');
  return outer.origin === inner.origin && (inner.pathname === path || inner.pathname.startsWith(`${path}/`));
}

/** No server lets a grant end by age as soon as this: one that did was revoked. */
const shortestLife = 24 * 3_600_000;

/**
 * Grants end by age at some servers: what earlier ones reached is what this one may expect, ms since the epoch
 * (product.md 7). Undefined when nothing is known, or when this one has grown older already.
 */
export function expectedEnd({ grant, history }: ConnectionRecord, now: number): number | undefined {
  const lives = history.filter(({ why }) => why === 'invalid_grant').map((ended) => ended.endedAt - ended.authorizedAt);
  const longest = Math.max(0, ...lives.filter((life) => life >= shortestLife));
  const end = grant && longest > 0 ? new Date(grant.authorizedAt + longest).getTime() : Number.NaN;
  return end > now ? end : undefined;
}

/** True while the record's pending sign-in is this one, in these hands. */
export function sameSignIn(record: ConnectionRecord, pending: PendingSignIn): boolean {
  return record.pendingSignIn?.id === pending.id && record.pendingSignIn.owner.nonce === pending.owner.nonce;
}

/** The record once its sign-in is over, or given up. */
export function withoutPending(record: ConnectionRecord): ConnectionRecord {
  const { pendingSignIn: _pending, ...rest } = record;
  return rest;
}
