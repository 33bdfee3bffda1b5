import { backOff, type Clock, createDeadline, longestAbsence, untilAborted } from './clock.ts';
import { withNeedOfReconnect } from './credentials/grant.ts';
import {
  authorizationOf,
  type ConnectionRecord,
  fingerprint,
  type Grant,
  isBrandNew,
  isConnected,
} from './credentials/record.ts';
import { freshnessOf, idleRefreshAfter, isDue } from './credentials/refresh-plan.ts';
import type { Store } from './credentials/store.ts';
import { BridgeError } from './errors.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import { currentIssuer, isSameIssuer } from './oauth/discovery.ts';
import type { RefreshOutcome } from './oauth/refresh.ts';
import { createRefreshFlight, type FlightResult, type FlightTask, isFinal } from './refresh-flight.ts';
import { createRefusalCount } from './refusal-count.ts';

export interface AccessToken {
  value: string;
  fingerprint: string;
  /** Changes with every sign-in, not with a refresh. */
  authorization: string;
  isBrandNew: boolean;
}

export interface TokenRequest {
  /** The fingerprint of an access token that upstream answered with 401: that one is not given again. */
  refused?: string | undefined;
  /** Ends the waiting, not the refresh. */
  signal: AbortSignal;
}

export interface TokenSource {
  /**
   * A usable access token, or undefined when nobody is signed in.
   * @throws BridgeError when a refresh is needed and was not possible until `signal` aborted
   */
  current(request: TokenRequest): Promise<AccessToken | undefined>;
  /** Upstream took this token. */
  accepted(token: AccessToken): void;
  /** Refreshes before expiry when `inUse`, else once a day, so that the grant stays alive (product.md 6.3). */
  maintain(inUse: boolean): Promise<void>;
  /**
   * Refreshes unless the access token is fresh and the last refresh is not from before `refreshedBefore`. `withheld`: it
   * would be due, and is not sent while the access token works. Undefined when nobody is signed in.
   * @throws BridgeError when it is due and was not possible until `signal` aborted
   */
  renew(refreshedBefore: number, signal: AbortSignal): Promise<'fresh' | 'withheld' | undefined>;
  /** Resolves once no refresh is under way. */
  settled(): Promise<void>;
  /** A token request that was sent is waited for and its answer stored; no other is begun. @throws BridgeError */
  close(): Promise<void>;
}

interface TokenSourceOptions {
  store: Store;
  http: Http;
  clock: Clock;
  log: Log;
  random: () => number;
  /** Tells what came of each refresh that this process made. */
  onRefresh?: (outcome: RefreshOutcome) => void;
}

const refusedPause = 600_000;
const quietWhileUnknown = 30_000;
/** However long a server asks us to stay away; a timer of more than 24 days would even fire at once. */
const longestWait = 3_600_000;

/** "A usable access token, please": cached, adopted, or refreshed once under the lock. Every trigger comes through here. */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { store, http, clock, log, random } = options;
  const spread = random();
  const flight = createRefreshFlight({ store, http, clock, log, spread, onOutcome: options.onRefresh });
  const refusals = createRefusalCount();
  let flying: Promise<FlightResult> | undefined;
  /** Fingerprints of access tokens that upstream refused: whatever their time, they are not sent again. */
  const dead = new Set<string>();
  // Times of the monotonic clock: nobody who sets the wall clock back makes a pause longer.
  /** No token request before this time: back-off or `Retry-After`. */
  let notBefore = 0;
  let failures = 0;
  /** The record's generation that the back-off is about. */
  let generation: number | undefined;
  let lastTrouble: BridgeError | undefined;
  let quietUntil = 0;
  let pausedUntil = 0;

  const fly = (at: FlightTask): Promise<FlightResult> => {
    flying ??= flight
      .attempt(at)
      .then(note)
      .finally(() => {
        flying = undefined;
      });
    return flying;
  };

  const note = (result: FlightResult): FlightResult => {
    if (result.kind === 'trouble') {
      lastTrouble = result.error;
      const most = result.unreached ? longestAbsence : undefined;
      const wait = result.retryAfter ?? backOff(failures++, random, undefined, most);
      notBefore = clock.monotonic() + Math.min(wait, longestWait);
      log.warn(result.error.message, { errorCode: result.error.code });
    } else if (result.kind === 'again' && result.waitsFor !== undefined) {
      lastTrouble = new BridgeError(
        'AUTHORIZATION_SERVER_UNREACHABLE',
        `another bridge (pid ${result.waitsFor}) has a refresh under way, and has not finished it`,
        { hint: 'try again in a minute; if that one stands still, let it go on or end it' },
      );
    } else if (result.kind === 'refreshed') {
      failures = 0;
      quietUntil = 0;
      lastTrouble = undefined;
    }
    return result;
  };

  const current = async ({ refused, signal }: TokenRequest): Promise<AccessToken | undefined> => {
    if (refused !== undefined) {
      dead.add(refused);
      await untilAborted(countRefusal(refused), signal);
    }
    for (;;) {
      const record = await store.load();
      if (!isConnected(record)) return undefined;
      forgetTroubleBefore(record);
      const token = tokenOf(record, clock.now());
      const known = knownDead(record, refused);
      const state = freshnessOf(record.grant, { now: clock.now(), spread, refused: known });
      if (state === 'ageing') refreshInBackground({});
      if (state !== 'ended') return token;
      await refreshNow({ refused: known }, signal, record.grant);
    }
  };

  /** While no refresh may be made, it is upstream that has to mend itself: each request asks it anew (product.md 6.4). */
  const knownDead = ({ grant }: { grant: Grant }, refused?: string): string | undefined => {
    if (dead.size === 0 || clock.monotonic() < pausedUntil) return refused;
    const current = fingerprint(grant.tokens.access_token);
    return dead.has(current) ? current : refused;
  };

  const renew: TokenSource['renew'] = async (refreshedBefore, signal) => {
    for (;;) {
      const record = await store.load();
      const plan = flight.plan(record, { refreshedBefore });
      if (!isConnected(record) || plan.kind === 'signed-out') return undefined;
      forgetTroubleBefore(record);
      if (plan.kind === 'use') {
        if (!isDue(record.grant, { now: clock.now(), spread, refreshedBefore })) return 'fresh';
        if (lastTrouble) throw lastTrouble;
        return 'withheld';
      }
      // Once is enough, whatever the clock says of what was refreshed when.
      if (await refreshNow({ refreshedBefore }, signal, record.grant)) return 'fresh';
    }
  };

  /** True when this process made the refresh. @throws BridgeError */
  const refreshNow = async (at: FlightTask, signal: AbortSignal, grant: Grant): Promise<boolean> => {
    const tooLong = () =>
      lastTrouble ??
      new BridgeError('AUTHORIZATION_SERVER_UNREACHABLE', `the refresh at ${grant.issuer} takes too long`);
    if (clock.monotonic() < pausedUntil) throw tooLong();
    if (await renewedWithin(notBefore - clock.monotonic(), signal)) return false;
    const isJoined = flying !== undefined;
    let result = signal.aborted ? undefined : await untilAborted(fly(at), signal);
    // A flight that began before this request may have met what is over; the next one, which all of them share, did not.
    if (isJoined && isFinal(result)) result = await untilAborted(fly(at), signal);
    if (!result) throw tooLong();
    if (isFinal(result)) throw result.error;
    if (result.kind === 'again') await clock.sleep(result.after, signal);
    return result.kind === 'refreshed';
  };

  /** What the server told this process does not hold for a token that another one got meanwhile (P7). */
  const forgetTroubleBefore = (record: ConnectionRecord) => {
    if (record.generation === generation) return;
    generation = record.generation;
    notBefore = 0;
    failures = 0;
  };

  /** Waits out the back-off, unless another process renews the token first. */
  const renewedWithin = async (ms: number, signal: AbortSignal): Promise<boolean> => {
    if (ms <= 0) return false;
    const before = generation;
    const deadline = createDeadline(clock, ms, signal);
    const renewed = store.waitFor((now) => now.generation !== before, deadline.signal).finally(deadline.release);
    return (await renewed) !== undefined;
  };

  const refreshInBackground = (at: FlightTask) => {
    if (flying || clock.monotonic() < Math.max(notBefore, quietUntil, pausedUntil)) return;
    // An unknown outcome is not presented again while the token works: no lock for each request meanwhile.
    quietUntil = clock.monotonic() + quietWhileUnknown;
    void fly(at);
  };

  /** Two refreshes in a row whose tokens were refused: no loop, no browser (product.md 6.4). */
  const countRefusal = async (refused: string) => {
    const record = await store.load();
    if (!isConnected(record)) return;
    const token = tokenOf(record, clock.now());
    if (token.fingerprint !== refused || !token.isBrandNew || refusals.add(refused) < 2) return;
    refusals.reset();
    pausedUntil = clock.monotonic() + refusedPause;
    lastTrouble = new BridgeError(
      'UPSTREAM_REFUSED',
      'the server refuses the access tokens that its authorization server issues',
    );
    log.error(lastTrouble.message, { fingerprint: refused });
    const { resourceMetadataUrl, issuer } = record.grant;
    const named = resourceMetadataUrl && (await currentIssuer(resourceMetadataUrl, { http }));
    if (named && !isSameIssuer(named, issuer))
      await store.update((latest) => withNeedOfReconnect(latest, 'issuer_changed'));
  };

  const maintain = async (inUse: boolean) => {
    const record = await store.load();
    if (!isConnected(record)) return;
    forgetTroubleBefore(record);
    if (clock.monotonic() < Math.max(notBefore, pausedUntil)) return;
    const refused = knownDead(record);
    if (inUse && freshnessOf(record.grant, { now: clock.now(), spread, refused }) !== 'fresh')
      refreshInBackground({ refused });
    const dayAgo = clock.now() - idleRefreshAfter;
    if (record.grant.refreshedAt < dayAgo) await fly({ refreshedBefore: dayAgo });
  };

  const settled = async () => {
    await flying;
  };

  const accepted = (token: AccessToken) => refusals.accept(token.fingerprint);
  return { settled, current, accepted, maintain, renew, close: flight.land };
}

function tokenOf(record: ConnectionRecord & { grant: Grant }, now: number): AccessToken {
  const { tokens } = record.grant;
  const { access_token: value } = tokens;
  const authorization = authorizationOf(record);
  return { value, fingerprint: fingerprint(value), authorization, isBrandNew: isBrandNew(tokens, now) };
}
