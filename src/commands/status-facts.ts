import type { Connection, Surroundings } from '../bridge.ts';
import type { Clock } from '../clock.ts';
import { type Config, forConnection } from '../config.ts';
import type { Counts } from '../credentials/counters.ts';
import { createLockFolder } from '../credentials/lock-folder.ts';
import type { Owner, Processes } from '../credentials/owner.ts';
import type { RunningProcess } from '../credentials/presence.ts';
import { type ConnectionRecord, expectedEnd, isConnected } from '../credentials/record.ts';
import { isRenewable, nextRefresh, rejectionOf } from '../credentials/refresh-plan.ts';
import { isoTime } from './readable-time.ts';

/** A process, as far as it can be told from here. */
interface ProcessFact {
  pid: number;
  /** On another machine, or in another container: it cannot be asked whether it lives. */
  elsewhere?: true;
}

/** What `status --json` prints; times are ISO 8601. What does not apply is left out. */
export interface Facts {
  state: string;
  reason?: string | undefined;
  /** When the grant ended, or was given back. */
  ended?: string | undefined;
  profile: string;
  upstream: string;
  workspace?: string | undefined;
  issuer?: string | undefined;
  clientId?: string | undefined;
  signedIn?: string | undefined;
  grantAgeSeconds?: number | undefined;
  grantExpectedToEnd?: string | undefined;
  refreshed?: string | undefined;
  accessTokenExpires?: string | undefined;
  nextRefresh?: { whenUsed: string; whenIdle: string } | undefined;
  refreshTokenRejected?: { code: string; at: string } | undefined;
  refreshUnderWay?: (ProcessFact & { since: string; outcome: 'awaited' | 'unknown' }) | undefined;
  signIn?: (ProcessFact & { since: string; link?: string | undefined }) | undefined;
  counted: Omit<Counts, 'since' | 'lastFailure'> & {
    since?: string | undefined;
    lastFailure?: { code: string; at: string } | undefined;
  };
  lock: ProcessFact | null;
  processes: (ProcessFact & { kind: string; client?: string | undefined; since: string })[];
  record: string;
  next?: string | undefined;
}

/** What the record and the files beside it say, without network or lock. */
export function factsOf(record: ConnectionRecord, connection: Connection, { config, clock }: Surroundings): Facts {
  const { store, counters, presence, location } = connection;
  const { processes } = store;
  return {
    ...aboutRecord(record, config),
    ...aboutGrant(record, clock),
    ...aboutWork(record, processes),
    counted: aboutCounts(counters.read()),
    lock: holder(createLockFolder(location.lock).look()?.owner, processes),
    processes: presence.list().map((one) => aboutProcess(one, processes)),
    record: store.path,
    next: nextStep(record, config),
  };
}

function aboutRecord(record: ConnectionRecord, { profile, upstreamUrl }: Config) {
  const { state, reason, grant, history } = record;
  const given = state === 'signed_out' ? history.at(-1)?.endedAt : undefined;
  const ended = state === 'needs_reconnect' ? grant?.rejections.at(-1)?.at : given;
  return {
    state,
    reason: state === 'needs_reconnect' ? reason : undefined,
    ended: ended === undefined ? undefined : isoTime(ended),
    profile,
    upstream: upstreamUrl.href,
    workspace: grant?.identity.workspace_name,
    issuer: grant?.issuer,
    clientId: grant?.registration.client_id,
  };
}

function aboutGrant(record: ConnectionRecord, clock: Clock): Partial<Facts> {
  const { grant } = record;
  if (!grant) return {};
  const { whenUsed, whenIdle } = nextRefresh(grant);
  const rejection = rejectionOf(grant);
  const end = expectedEnd(record, clock.now());
  const isRefreshed = isConnected(record) && isRenewable(grant) && !rejection;
  return {
    signedIn: isoTime(grant.authorizedAt),
    grantAgeSeconds: Math.floor((clock.now() - grant.authorizedAt) / 1_000),
    grantExpectedToEnd: end === undefined ? undefined : isoTime(end),
    refreshed: isoTime(grant.refreshedAt),
    accessTokenExpires: isoTime(grant.tokens.expiresAt),
    nextRefresh: isRefreshed ? { whenUsed: isoTime(whenUsed), whenIdle: isoTime(whenIdle) } : undefined,
    refreshTokenRejected: rejection && { code: rejection.oauthError, at: isoTime(rejection.at) },
  };
}

/** The sign-in link is for this person; otherwise nothing secret: no token, no code, no verifier (P10). */
function aboutWork({ refreshUnderWay: mark, pendingSignIn }: ConnectionRecord, processes: Processes): Partial<Facts> {
  const isOver = mark && (mark.outcome === 'unknown' || processes.isGone(mark.owner));
  return {
    refreshUnderWay: mark && {
      since: isoTime(mark.since),
      outcome: isOver ? 'unknown' : 'awaited',
      ...place(mark.owner, processes),
    },
    signIn: pendingSignIn && {
      since: isoTime(pendingSignIn.since),
      ...place(pendingSignIn.owner, processes),
      link: pendingSignIn.prepared?.url,
    },
  };
}

function aboutCounts({ since, lastFailure, ...counts }: Counts): Facts['counted'] {
  return {
    since: since === undefined ? undefined : isoTime(since),
    ...counts,
    lastFailure: lastFailure && { code: lastFailure.code, at: isoTime(lastFailure.at) },
  };
}

/** A lock whose owner is gone is free for the next who wants it. */
function holder(owner: Owner | undefined, processes: Processes): ProcessFact | null {
  return owner && !processes.isGone(owner) ? place(owner, processes) : null;
}

function aboutProcess({ owner, kind, client, since }: RunningProcess, processes: Processes) {
  return { kind, client, since: isoTime(since), ...place(owner, processes) };
}

function place(owner: Owner, processes: Processes): ProcessFact {
  return processes.isElsewhere(owner) ? { pid: owner.pid, elsewhere: true } : { pid: owner.pid };
}

function nextStep(record: ConnectionRecord, config: Config): string | undefined {
  if (record.pendingSignIn?.prepared) return 'open the sign-in link and approve';
  if (!isConnected(record)) return forConnection(config, 'run `npx -y notion-mcp-bridge login`');
  const isEnding = rejectionOf(record.grant) !== undefined;
  return isEnding ? forConnection(config, 'run `npx -y notion-mcp-bridge login --force`') : undefined;
}
