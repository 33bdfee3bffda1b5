import { type ConnectionRecord, type PendingSignIn, type PreparedSignIn, sameSignIn } from './credentials/record.ts';
import { type AuthorizationRequest, authorizationUrl, newAttempt } from './oauth/authorization.ts';
import type { CallbackAnswer, Loopback } from './oauth/loopback.ts';

/** A pending sign-in whose listener runs in this process. */
export interface HostedSignIn {
  pending: PendingSignIn;
  prepared: PreparedSignIn;
  loopback: Loopback;
  /** Each code is redeemed once; a repeated callback gets the answer of the first. */
  answers: Map<string, Promise<CallbackAnswer>>;
  /** States whose code a process that died may have redeemed: their tab is sent on to a fresh authorize URL. */
  spentStates: Set<string>;
  /** States whose code was sent from here. A successor does not get to know them, and so cannot send it again. */
  redeemedStates: Set<string>;
  finished: boolean;
  /** The record says that a code is being redeemed. */
  isNoted: boolean;
  /** The authorization that the record held when the last code was sent. */
  replaces?: string;
  /** How many codes were sent, and which of them, counted from 1, the stored tokens came for. */
  sentCodes: number;
  storedCode: number;
}

export function newHostedSignIn(
  what: Pick<HostedSignIn, 'pending' | 'prepared' | 'loopback'>,
  spent: string[],
): HostedSignIn {
  const nothingYet = { answers: new Map(), redeemedStates: new Set<string>(), sentCodes: 0, storedCode: 0 };
  return { ...what, ...nothingYet, spentStates: new Set(spent), finished: false, isNoted: false };
}

/** A fresh state and verifier, and the URL that carries them. */
export async function withAttempt(prepared: PreparedSignIn, scope: string | undefined): Promise<PreparedSignIn> {
  const attempt = newAttempt();
  const url = await authorizationUrl({ ...prepared, server: prepared.authorizationServer, scope }, attempt);
  return { ...prepared, attempts: [...prepared.attempts, attempt].slice(-10), url: url.href };
}

export function requestOf({ prepared, pending }: HostedSignIn): AuthorizationRequest {
  return { ...prepared, server: prepared.authorizationServer, scope: pending.scope };
}

export function ownedBy(
  record: ConnectionRecord,
  { pending }: HostedSignIn,
): record is ConnectionRecord & { pendingSignIn: PendingSignIn } {
  return sameSignIn(record, pending);
}
