import type { Clock } from './clock.ts';
import {
  authorizationOf,
  type ConnectionRecord,
  isConnected,
  needOf,
  type PendingSignIn,
} from './credentials/record.ts';
import type { Store } from './credentials/store.ts';
import { BridgeError, describe } from './errors.ts';
import type { Log } from './log.ts';
import type { OpenBrowser } from './oauth/browser.ts';
import type { Challenge } from './oauth/discovery.ts';
import { pendingLimit, type SignInHost } from './sign-in-host.ts';

/**
 * Who may open a tab (product.md 4, 7). `automatic`: one by itself per need, ever. `asked`: the person asked through the
 * client, so a new sign-in opens one. `insisted`: the person typed `login`.
 */
export type TabPolicy = 'automatic' | 'asked' | 'insisted';

export interface SignInRequest {
  challenge: Challenge;
  tab: TabPolicy;
  /** The authorization that did not suffice, so that a newer one is recognised; undefined when there was none. */
  seen: string | undefined;
  /** The scope of a step-up: the union of what is granted and what is asked for. */
  scope?: string | undefined;
  /** Sign in although connected (`--reauth`). */
  again?: boolean;
}

export type SignInState =
  /** Somebody signed in meanwhile. */
  | { kind: 'connected' }
  | {
      kind: 'pending';
      id: string;
      url: string;
      /** Whether this call opened a tab. */
      opened: boolean;
      /** Nobody can know of it yet: this call began it, or was the one to open its tab, and no tab opened. */
      unseen: boolean;
      /** The record never held a grant, and nobody said no. */
      first: boolean;
    };

/** Who has, or had, the one tab of a need. */
type TabClaim = 'ours' | "another's" | 'no tab';

export type SignInOutcome = 'connected' | 'declined' | 'withdrawn' | 'still pending';

export interface SignIn {
  /** Joins the pending sign-in or begins one; opens a tab where the policy allows. @throws BridgeError */
  begin(request: SignInRequest, signal: AbortSignal): Promise<SignInState>;
  /** Waits until the sign-in ends one way or the other, or `signal` aborts. */
  outcome(seen: string | undefined, signal: AbortSignal): Promise<SignInOutcome>;
  /** Takes part in sign-ins that other processes began: if theirs dies, this one goes on. */
  takePart(): void;
  close(): Promise<void>;
}

interface SignInOptions {
  store: Store;
  host: SignInHost;
  /** Absent with `--no-browser`. */
  openBrowser: OpenBrowser | undefined;
  clock: Clock;
  log: Log;
  newId: () => string;
}

const lookAtHost = 1_000;
const mostRounds = 3;

export function createSignIn({ store, host, openBrowser, clock, log, newId }: SignInOptions): SignIn {
  const closed = new AbortController();
  let unsubscribe: (() => void) | undefined;
  let overseeing = false;
  let due = false;
  let looking: Promise<void> | undefined;

  const begin = async (request: SignInRequest, signal: AbortSignal): Promise<SignInState> => {
    for (let round = 0; round < mostRounds; round++) {
      const id = newId();
      const pending = await claim(request, id);
      if (!pending) return { kind: 'connected' };
      const mine = pending.id === id;
      if (mine) await host.prepare(pending).catch(fail);
      else await lookAfter(pending);
      takePart();
      const record = await prepared(signal);
      const current = record.pendingSignIn;
      if (!current?.prepared) continue;
      const { url } = current.prepared;
      const first = record.history.length === 0 && !record.grant && record.state !== 'declined';
      const tab = await claimTab(request, mine);
      const opened = tab === 'ours' && (await openTab(url));
      const unseen = !opened && (tab === 'ours' || (tab === 'no tab' && mine));
      return { kind: 'pending', id: current.id, url, opened, unseen, first };
    }
    throw new BridgeError('AUTHORIZATION_SERVER_MISBEHAVED', 'other processes could not begin the sign-in, either');
  };

  /** The pending sign-in, this process's own when there was none; undefined when a newer authorization makes it needless. */
  const claim = async (request: SignInRequest, id: string): Promise<PendingSignIn | undefined> => {
    const isNewer = (record: ConnectionRecord) => isConnected(record) && authorizationOf(record) !== request.seen;
    const record = await store.update((now) =>
      isNewer(now) || (now.pendingSignIn && !isStale(now.pendingSignIn, request))
        ? undefined
        : { ...now, pendingSignIn: newPending(now, request, id) },
    );
    return isNewer(record) ? undefined : record.pendingSignIn;
  };

  /** The server may have forgotten its client by now, and shows an error page without a way back: who asks gets a new link. */
  const isStale = ({ since }: PendingSignIn, { tab }: SignInRequest) =>
    tab !== 'automatic' && clock.now() - since > pendingLimit;

  const newPending = (record: ConnectionRecord, { challenge, scope, again }: SignInRequest, id: string) => {
    const wanted = scope ?? challenge.scope;
    return {
      id,
      owner: store.processes.newOwner(),
      since: clock.now(),
      need: needOf(record, { scope, again: again ?? false }),
      ...(wanted === undefined ? {} : { scope: wanted }),
      ...(challenge.resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl: challenge.resourceMetadataUrl }),
      ...(again ? { again } : {}),
    };
  };

  /** The record once the pending sign-in has a URL, or is over. */
  const prepared = async (signal: AbortSignal): Promise<ConnectionRecord> => {
    const record = await store.waitFor(
      (now) => now.pendingSignIn?.prepared !== undefined || !now.pendingSignIn,
      signal,
    );
    if (record) return record;
    throw new BridgeError('AUTHORIZATION_TIMED_OUT', 'another process is still preparing the sign-in');
  };

  /** One tab by itself per need, whoever asks first (P5): decided and noted under the lock. */
  const claimTab = async ({ tab: policy }: SignInRequest, mine: boolean): Promise<TabClaim> => {
    let tab: TabClaim = 'no tab';
    await store.update((record) => {
      const need = record.pendingSignIn?.need;
      if (need === undefined) return undefined;
      const wasOpened = record.tabsOpened.includes(need);
      const wasToldNo = record.state === 'declined' || (record.state === 'signed_out' && record.history.length > 0);
      const may = policy === 'insisted' || (policy === 'asked' ? mine : !wasOpened && !wasToldNo);
      tab = may && openBrowser ? 'ours' : wasOpened ? "another's" : 'no tab';
      if (tab !== 'ours') return undefined;
      return { ...record, tabsOpened: [...record.tabsOpened.filter((other) => other !== need), need].slice(-20) };
    });
    return tab;
  };

  const openTab = async (url: string): Promise<boolean> => {
    const opened = (await openBrowser?.(url)) ?? false;
    log.info(opened ? 'opened the browser for a sign-in' : 'could not open a browser; the link is the way');
    return opened;
  };

  const outcome = async (seen: string | undefined, signal: AbortSignal): Promise<SignInOutcome> => {
    const before = await store.load();
    const isNew = (record: ConnectionRecord) => isConnected(record) && authorizationOf(record) !== seen;
    const declined = (record: ConnectionRecord) => record.state === 'declined' && before.state !== 'declined';
    const record = await store.waitFor((now) => isNew(now) || declined(now) || !now.pendingSignIn, signal);
    if (!record) return 'still pending';
    if (isNew(record)) return 'connected';
    // Saying no to a second sign-in leaves the first as it is: that it serves on is all there is to see.
    const keptOld = seen !== undefined && isConnected(record);
    return record.state === 'declined' || keptOld ? 'declined' : 'withdrawn';
  };

  const takePart = () => {
    unsubscribe ??= store.subscribe(() => void oversee());
    void oversee();
  };

  /** One at a time: a call and the watch that take over the same sign-in side by side would register two clients. */
  const lookAfter = (pending: PendingSignIn): Promise<void> => {
    looking ??= ensureHost(pending).finally(() => {
      looking = undefined;
    });
    return looking;
  };

  const ensureHost = async (pending: PendingSignIn) => {
    if (!host.hosts(pending.id) && !(await host.isAlive(pending))) await host.takeOver(pending);
  };

  /** Looks every second whether somebody answers for the pending sign-in, as long as there is one (product.md 7). */
  const oversee = async () => {
    due = true;
    if (overseeing) return;
    overseeing = true;
    while (due && !closed.signal.aborted) {
      // Set again by a change that comes while the record is being read.
      due = false;
      if (!(await isStillNeeded())) continue;
      due = true;
      await clock.sleep(lookAtHost, closed.signal);
    }
    overseeing = false;
  };

  const isStillNeeded = async (): Promise<boolean> => {
    const record = await store.load().catch(() => undefined);
    // A record that cannot be read is looked at when it changes, not every second.
    if (!record) return false;
    const pending = record.pendingSignIn;
    if (!pending) host.linger();
    if (!pending || host.hosts(pending.id)) return false;
    host.makeWay(pending.id);
    // Trouble with the disk or the network passes, and the next look finds out.
    await lookAfter(pending).catch((error) =>
      log.debug('could not look after the pending sign-in', { why: describe(error) }),
    );
    return true;
  };

  return {
    begin,
    outcome,
    takePart,
    close: () => {
      closed.abort();
      unsubscribe?.();
      return host.close();
    },
  };
}

function fail(error: unknown): never {
  if (error instanceof BridgeError) throw error;
  const message = `could not begin the sign-in (${describe(error)})`;
  throw new BridgeError('AUTHORIZATION_SERVER_MISBEHAVED', message, { cause: error });
}
