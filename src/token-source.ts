import { backOff, type Clock, untilAborted } from './clock.ts';
import { withNeedOfReconnect } from './credentials/grant.ts';
import { authorizationOf, type ConnectionRecord, fingerprint, type Grant, isConnected } from './credentials/record.ts';
import { freshnessOf } from './credentials/refresh-plan.ts';
import type { Store } from './credentials/store.ts';
import { BridgeError } from './errors.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import { currentIssuer, isSameIssuer } from './oauth/discovery.ts';
import { createRefreshFlight, type FlightResult } from './refresh-flight.ts';

export interface AccessToken {
  value: string;
  fingerprint: string;
  /** Changes with every sign-in, not with a refresh. */
  authorization: string;
  /** How old it is, ms. */
  age: number;
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
  /** Tells of each refresh that this process made. */
  onRefresh?: () => void;
}

const idleRefreshAfter = 24 * 3_600_000;
const brandNew = 60_000;
const refusedPause = 600_000;
const quietWhileUnknown = 30_000;
/** However long a server asks us to stay away; a timer of more than 24 days would even fire at once. */
const longestWait = 3_600_000;

/** "A usable access token, please": cached, adopted, or refreshed once under the lock. Every trigger comes through here. */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { store, http, clock, log, random } = options;
  const spread = random();
  const flight = createRefreshFlight({ store, http, clock, log, spread });
  const refusals = createRefusalCount();
  let flying: Promise<FlightResult> | undefined;
  // Times of the monotonic clock: nobody who sets the wall clock back makes a pause longer.
  /** No token request before this time: back-off or `Retry-After`. */
  let notBefore = 0;
  let failures = 0;
  let lastTrouble: BridgeError | undefined;
  let quietUntil = 0;
  let pausedUntil = 0;

  const fly = (at: { refused?: string | undefined; refreshedBefore?: number }): Promise<FlightResult> => {
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
      const wait = result.retryAfter ?? backOff(failures++, random);
      notBefore = clock.monotonic() + Math.min(wait, longestWait);
      log.warn(result.error.message, { errorCode: result.error.code });
    } else if (result.kind === 'refreshed') {
      failures = 0;
      lastTrouble = undefined;
      options.onRefresh?.();
    }
    return result;
  };

  const current = async ({ refused, signal }: TokenRequest): Promise<AccessToken | undefined> => {
    if (refused !== undefined) await untilAborted(countRefusal(refused), signal);
    for (;;) {
      const record = await store.load();
      if (!isConnected(record)) return undefined;
      const token = tokenOf(record, clock.now());
      const state = freshnessOf(record.grant, { now: clock.now(), spread, refused });
      if (state === 'ageing') refreshInBackground();
      if (state !== 'ended') return token;
      await refreshNow(refused, signal, record.grant);
    }
  };

  const refreshNow = async (refused: string | undefined, signal: AbortSignal, grant: Grant) => {
    const tooLong = () =>
      lastTrouble ??
      new BridgeError('AUTHORIZATION_SERVER_UNREACHABLE', `the refresh at ${grant.issuer} takes too long`);
    if (clock.monotonic() < pausedUntil) throw tooLong();
    await clock.sleep(notBefore - clock.monotonic(), signal);
    const result = signal.aborted ? undefined : await untilAborted(fly({ refused }), signal);
    if (!result) throw tooLong();
    // Waiting does not mend a disk; a network it may.
    if (result.kind === 'trouble' && result.error.code !== 'AUTHORIZATION_SERVER_UNREACHABLE') throw result.error;
    if (result.kind === 'again') await clock.sleep(result.after, signal);
  };

  const refreshInBackground = () => {
    if (flying || clock.monotonic() < Math.max(notBefore, quietUntil, pausedUntil)) return;
    // An unknown outcome is not presented again while the token works: no lock for each request meanwhile.
    quietUntil = clock.monotonic() + quietWhileUnknown;
    void fly({});
  };

  /** Two refreshes in a row whose tokens were refused: no loop, no browser (product.md 6.4). */
  const countRefusal = async (refused: string) => {
    const record = await store.load();
    if (!isConnected(record)) return;
    const token = tokenOf(record, clock.now());
    if (token.fingerprint !== refused || token.age > brandNew || refusals.add(refused) < 2) return;
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
    if (!isConnected(record) || clock.monotonic() < Math.max(notBefore, pausedUntil)) return;
    if (inUse && freshnessOf(record.grant, { now: clock.now(), spread }) === 'ageing') refreshInBackground();
    const dayAgo = clock.now() - idleRefreshAfter;
    if (record.grant.refreshedAt < dayAgo) await fly({ refreshedBefore: dayAgo });
  };

  const settled = async () => {
    await flying;
  };

  return { settled, current, accepted: (token) => refusals.accept(token.fingerprint), maintain, close: flight.land };
}

/** How many brand-new tokens were refused in a row, without one that upstream took. */
function createRefusalCount() {
  let count = 0;
  let lastCounted: string | undefined;
  let lastAccepted: string | undefined;
  const reset = () => {
    count = 0;
  };
  return {
    reset,
    add: (token: string) => {
      if (token !== lastAccepted && token !== lastCounted) count += 1;
      lastCounted = token;
      return count;
    },
    accept: (token: string) => {
      lastAccepted = token;
      reset();
    },
  };
}

function tokenOf(record: ConnectionRecord & { grant: Grant }, now: number): AccessToken {
  const { access_token: value, issuedAt } = record.grant.tokens;
  return { value, fingerprint: fingerprint(value), authorization: authorizationOf(record), age: now - issuedAt };
}
