import { type Clock, createDeadline } from './clock.ts';
import { type SentRefresh, withNeedOfReconnect, withOutcome } from './credentials/grant.ts';
import { fingerprint, type Grant, isConnected } from './credentials/record.ts';
import { type Circumstances, planRefresh, refreshTimeLimit } from './credentials/refresh-plan.ts';
import type { LockedRecord, Store } from './credentials/store.ts';
import { BridgeError } from './errors.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import { type RefreshOutcome, requestRefresh } from './oauth/refresh.ts';

/** How one attempt went. `refreshed`: by this process. `settled`: look at the record. */
export type FlightResult =
  | { kind: 'refreshed' }
  | { kind: 'settled' }
  | { kind: 'again'; after: number }
  | { kind: 'trouble'; error: BridgeError; retryAfter?: number | undefined };

export interface RefreshFlight {
  /** One attempt: lock, re-read, adopt or mark, send, store (product.md 6.2). Never throws. */
  attempt(at: Omit<Circumstances, 'now' | 'spread'>): Promise<FlightResult>;
  /** The last call: a request that was sent is waited for and its answer stored; nothing else is begun. @throws BridgeError */
  land(): Promise<void>;
}

interface FlightOptions {
  store: Store;
  http: Http;
  clock: Clock;
  log: Log;
  /** In [0, 1): this process's place within the margin. */
  spread: number;
}

const youngToken = 60_000;
const youngTokenWait = 1_500;
const waitForOwner = 250;

export function createRefreshFlight({ store, http, clock, log, spread }: FlightOptions): RefreshFlight {
  /** An answer that is not on the disk yet. Nothing else is presented before it is (P4). */
  let unsaved: (() => Promise<unknown>) | undefined;
  const landing = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let isSent = false;

  const attempt: RefreshFlight['attempt'] = (at) => {
    const result = fly(at).finally(() => {
      isSent = false;
    });
    running = result;
    return result;
  };

  const fly: RefreshFlight['attempt'] = async (at) => {
    try {
      if (landing.signal.aborted) throw closing();
      await flush();
      const flown = await store.locked((held) => present(held, { ...at, now: clock.now(), spread }), landing.signal);
      if (!('sent' in flown)) return flown;
      // The lock was lost while the request was out: the same compare-and-swap, under a new lock.
      await save(flown, () => store.update((record) => withOutcome(record, flown.sent, flown.outcome, clock.now())));
      return report(flown);
    } catch (error) {
      if (error instanceof BridgeError) return { kind: 'trouble', error };
      const wrapped = new BridgeError('CREDENTIALS_UNREADABLE', 'could not refresh the access token', { cause: error });
      return { kind: 'trouble', error: wrapped };
    }
  };

  const present = async (held: LockedRecord, at: Circumstances): Promise<FlightResult | Flown> => {
    const record = await held.read();
    const plan = planRefresh(record, at);
    if (plan.kind === 'wait') return { kind: 'again', after: waitForOwner };
    if (plan.kind === 'give-up') {
      await held.write(withNeedOfReconnect(record, plan.reason));
      log.warn('the grant has ended; a sign-in is needed', { oauthError: plan.reason });
    }
    if (plan.kind !== 'present' || !isConnected(record)) return { kind: 'settled' };
    if (landing.signal.aborted) throw closing();
    isSent = true;
    const mark = { fingerprint: fingerprint(plan.refreshToken), owner: held.lock.owner, since: at.now };
    await held.write({ ...record, refreshUnderWay: mark });
    const { generation, refreshUnderWay: earlierMark, grant } = record;
    const sent = {
      clientId: grant.registration.client_id,
      generation,
      refreshToken: plan.refreshToken,
      mark,
      earlierMark,
    };
    const { issuer } = grant;
    // Robbed while it stood still: nothing was sent, and nobody has to wait for its outcome.
    if (!held.lock.isHeld()) return { sent, issuer, outcome: { kind: 'not-sent', why: 'the lock was lost' } };
    const flown = { sent, issuer, outcome: await send(held, grant, plan.refreshToken) };
    if (!held.lock.isHeld()) return flown;
    await save(flown, async () => held.write(withOutcome(await held.read(), sent, flown.outcome, clock.now())));
    return report(flown);
  };

  const send = async (held: LockedRecord, grant: Grant, refreshToken: string): Promise<RefreshOutcome> => {
    const deadline = createDeadline(clock, refreshTimeLimit);
    const request = () => requestRefresh(grant, refreshToken, { http, signal: deadline.signal });
    try {
      const outcome = await request();
      if (outcome.kind !== 'rejected' || clock.now() - grant.tokens.issuedAt > youngToken) return outcome;
      // The server's storage is eventually consistent: a token this young may not be known everywhere yet (6.6).
      await clock.sleep(youngTokenWait, deadline.signal);
      return held.lock.isHeld() ? await request() : outcome;
    } finally {
      deadline.release();
    }
  };

  const save = async ({ sent, outcome }: Flown, write: () => Promise<unknown>) => {
    try {
      await write();
    } catch (error) {
      if (outcome.kind === 'renewed')
        unsaved = () => store.update((record) => withOutcome(record, sent, outcome, clock.now()));
      throw error;
    }
  };

  const flush = async () => {
    if (!unsaved) return;
    await unsaved();
    unsaved = undefined;
  };

  const land = async () => {
    landing.abort();
    if (isSent) await running;
    await flush();
  };

  const report = ({ sent, issuer, outcome }: Flown): FlightResult => {
    const { fingerprint } = sent.mark;
    const trouble = (message: string) => new BridgeError('AUTHORIZATION_SERVER_UNREACHABLE', `${message} at ${issuer}`);
    switch (outcome.kind) {
      case 'renewed':
        log.info('refreshed the access token', { fingerprint, expiresIn: outcome.response.expires_in });
        return { kind: 'refreshed' };
      case 'rejected':
        log.warn('the token endpoint rejected a refresh token', { fingerprint, oauthError: outcome.oauthError });
        return { kind: 'again', after: 0 };
      case 'refused-for-now': {
        const error = trouble(`the token endpoint did not serve (${outcome.oauthError})`);
        return { kind: 'trouble', error, retryAfter: outcome.retryAfter };
      }
      case 'not-sent':
        return { kind: 'trouble', error: trouble(`could not reach the token endpoint (${outcome.why})`) };
      case 'unknown':
        return { kind: 'trouble', error: trouble(`the token endpoint gave no usable answer (${outcome.why})`) };
    }
  };

  return { attempt, land };
}

/** A refresh request that was sent, and what came of it. */
interface Flown {
  sent: SentRefresh;
  issuer: string;
  outcome: RefreshOutcome;
}

function closing(): BridgeError {
  return new BridgeError('CREDENTIALS_LOCKED', 'the bridge is closing');
}
