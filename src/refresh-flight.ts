import { type Clock, createPatientDeadline } from './clock.ts';
import { type SentRefresh, withNeedOfReconnect, withOutcome } from './credentials/grant.ts';
import {
  type ConnectionRecord,
  fingerprint,
  type Grant,
  isBrandNew,
  isConnected,
  type RefreshUnderWay,
} from './credentials/record.ts';
import { type Circumstances, planRefresh, type RefreshPlan, refreshTimeLimit } from './credentials/refresh-plan.ts';
import type { LockedRecord, Store } from './credentials/store.ts';
import { BridgeError, describe } from './errors.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import { type RefreshOutcome, requestRefresh } from './oauth/refresh.ts';

/** How one attempt went. `refreshed`: by this process. `settled`: look at the record. */
export type FlightResult =
  | { kind: 'refreshed' }
  | { kind: 'settled' }
  /** `waitsFor`: the process whose refresh is under way. */
  | { kind: 'again'; after: number; waitsFor?: number }
  /** `unreached`: the server surely saw nothing. */
  | { kind: 'trouble'; error: BridgeError; retryAfter?: number | undefined; unreached?: true };

/** Waiting does not mend a disk; a network it may. */
export function isFinal(result: FlightResult | undefined): result is FlightResult & { kind: 'trouble' } {
  return result?.kind === 'trouble' && result.error.code !== 'AUTHORIZATION_SERVER_UNREACHABLE';
}

/** Why it is attempted. */
export type FlightTask = Pick<Circumstances, 'refused' | 'refreshedBefore'>;

export interface RefreshFlight {
  /** What the holder of the lock would do now. */
  plan(record: ConnectionRecord, task: FlightTask): RefreshPlan;
  /** One attempt: lock, re-read, adopt or mark, send, store (product.md 6.2). Never throws. */
  attempt(at: FlightTask): Promise<FlightResult>;
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
  /** Tells what came of each request, once that is stored. */
  onOutcome?: ((outcome: RefreshOutcome) => void) | undefined;
}

const youngTokenWait = 1_500;
const waitForOwner = 250;
const saveAgain = 1_000;
const savesAtTheEnd = 10;

export function createRefreshFlight({ store, http, clock, log, spread, onOutcome }: FlightOptions): RefreshFlight {
  /** An answer that is not on the disk yet. Nothing else is presented before it is (P4). */
  let unsaved: (() => Promise<unknown>) | undefined;
  let flushing: Promise<void> | undefined;
  const waitedFor = createMarkWatch(clock);
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
      const flown = await store.locked((held) => present(held, at), landing.signal);
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

  const planNow: RefreshFlight['plan'] = (record, task) =>
    planRefresh(record, { ...task, now: clock.now(), spread, processes: store.processes, waitedFor });

  const present = async (held: LockedRecord, task: FlightTask): Promise<FlightResult | Flown> => {
    const record = await held.read();
    const plan = planNow(record, task);
    const waitsFor = record.refreshUnderWay?.owner.pid;
    if (plan.kind === 'wait') return { kind: 'again', after: waitForOwner, ...(waitsFor ? { waitsFor } : {}) };
    if (plan.kind === 'give-up') {
      await held.write(withNeedOfReconnect(record, plan.reason));
      log.warn('the grant has ended; a sign-in is needed', { oauthError: plan.reason });
    }
    if (plan.kind !== 'present' || !isConnected(record)) return { kind: 'settled' };
    if (landing.signal.aborted) throw closing();
    isSent = true;
    const mark = { fingerprint: fingerprint(plan.refreshToken), owner: held.lock.owner, since: clock.now() };
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
    const deadline = createPatientDeadline(clock, refreshTimeLimit);
    const request = () => requestRefresh(grant, refreshToken, { http, signal: deadline.signal });
    try {
      const outcome = await request();
      if (outcome.kind !== 'rejected' || !isBrandNew(grant.tokens, clock.now())) return outcome;
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
      if (outcome.kind === 'renewed') {
        unsaved = () => store.update((record) => withOutcome(record, sent, outcome, clock.now()));
        void keepTrying();
      }
      throw error;
    }
  };

  const flush = (): Promise<void> => {
    const run = async () => {
      const answer = unsaved;
      await answer?.();
      if (unsaved === answer) unsaved = undefined;
    };
    flushing ??= run().finally(() => {
      flushing = undefined;
    });
    return flushing;
  };

  /** Not only when this process needs a token again: until the answer is on the disk, the others hold what it replaced. */
  const keepTrying = async () => {
    for (let told = false; !landing.signal.aborted; told = true) {
      try {
        return await flush();
      } catch (error) {
        const tell = told ? log.debug : log.error;
        tell('the new tokens could not be stored yet', { why: describe(error) });
        await clock.sleep(saveAgain, landing.signal);
      }
    }
  };

  const land = async () => {
    landing.abort();
    if (isSent) await running;
    // A disk that stays full must not keep a process alive whose client is gone.
    for (let left = savesAtTheEnd; unsaved; left -= 1) {
      try {
        return await flush();
      } catch (error) {
        if (left === 0) throw error;
        await clock.sleep(saveAgain);
      }
    }
  };

  const report = ({ sent, issuer, outcome }: Flown): FlightResult => {
    onOutcome?.(outcome);
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
        return {
          kind: 'trouble',
          error: trouble(`could not reach the token endpoint (${outcome.why})`),
          unreached: true,
        };
      case 'unknown':
        return { kind: 'trouble', error: trouble(`the token endpoint gave no usable answer (${outcome.why})`) };
    }
  };

  return { plan: planNow, attempt, land };
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

/** Between two looks that are further apart the process stood still, or nobody asked it for anything. */
const longestLookGap = 120_000;

/** How long this process has seen the same mark, in time in which it ran. */
function createMarkWatch(clock: Clock): (mark: RefreshUnderWay) => number {
  let seen: string | undefined;
  let since = 0;
  let lastLook = 0;
  return ({ owner: { nonce } }) => {
    const now = clock.monotonic();
    if (seen !== nonce || now - lastLook > longestLookGap) since = now;
    seen = nonce;
    lastLook = now;
    return now - since;
  };
}
