import { type Clock, createDeadline, untilAborted } from './clock.ts';
import { type PendingSignIn, type PreparedSignIn, sameSignIn, withoutPending } from './credentials/record.ts';
import type { Store } from './credentials/store.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import { discover } from './oauth/discovery.ts';
import type { Loopback, LoopbackPorts } from './oauth/loopback.ts';
import type { Connecting } from './oauth/page.ts';
import { obtainClient, type PreregisteredClient } from './oauth/registration.ts';
import { createCallbackHandler } from './sign-in-callback.ts';
import { type HostedSignIn, newHostedSignIn, withAttempt } from './sign-in-hosted.ts';

export interface SignInHostOptions {
  store: Store;
  http: Http;
  ports: LoopbackPorts;
  clock: Clock;
  log: Log;
  upstreamUrl: URL;
  about: Connecting;
  callbackPort: number | undefined;
  preregistered: PreregisteredClient;
  /** Tells of each approval that was stored. */
  onSignedIn?: () => void;
}

/** Hosts the listener of a pending sign-in: its own, or one whose process died. */
export interface SignInHost {
  /** Discover, bind, register, and add the URL to the pending sign-in. On failure the sign-in is withdrawn. @throws BridgeError */
  prepare(pending: PendingSignIn): Promise<void>;
  /** True while somebody answers for the pending sign-in. */
  isAlive(pending: PendingSignIn): Promise<boolean>;
  /** Goes on with a sign-in whose process died: same port, same state, same tab. */
  takeOver(pending: PendingSignIn): Promise<void>;
  hosts(id: string): boolean;
  /** The sign-in is over: the listener stays a little longer for a second approval, then it closes. */
  linger(): void;
  /** Another sign-in has begun: a fixed port that ours lingers on is given back. */
  makeWay(id: string): void;
  /** Waits for a code that is being redeemed, and for the browser to have its page; then gives the listener up. */
  close(): Promise<void>;
}

/** A bound port, whose redirects wait until the sign-in is in our hands. */
interface Listener {
  loopback: Loopback;
  give(here: HostedSignIn): void;
}

/** A process that ends gives the browser this long to fetch the page that it was sent to. */
const pagePatience = 1_000;
const lingerTime = 120_000;
const makingWay = 2_000;
const preparationLimit = 120_000;
/** A sign-in without a process is given up after this long, one with a process when somebody asks: its registration may be gone. */
export const pendingLimit = 3_600_000;
const portPatience = 60_000;

export function createSignInHost(options: SignInHostOptions): SignInHost {
  const { store, http, ports, clock, log, upstreamUrl, about } = options;
  const { newOwner, isGone, isElsewhere } = store.processes;
  const me = newOwner();
  const closed = new AbortController();
  let hosted: HostedSignIn | undefined;
  let portRefused: { id: string; since: number } | undefined;

  const prepare = async (pending: PendingSignIn) => {
    let listener: Listener | undefined;
    try {
      // 1. discover, 2. bind, 3. register for exactly that redirect URI, 4. authorize URL, 5. tell everybody
      const challenge = { scope: pending.scope, resourceMetadataUrl: pending.resourceMetadataUrl };
      const { authorizationServer, scopesSupported, ...found } = await discover(upstreamUrl, challenge, { http });
      linger();
      if (options.callbackPort !== undefined) hosted?.loopback.close();
      listener = await listenPatiently(pending.id, options.callbackPort ?? 0);
      const { port, redirectUri } = listener.loopback;
      const scope = pending.scope ?? (scopesSupported?.join(' ') || undefined);
      const { preregistered } = options;
      const registering = { server: authorizationServer, redirectUri, scope, preregistered, now: clock.now() };
      const registration = await obtainClient(registering, { http });
      const base = {
        ...found,
        issuer: authorizationServer.issuer,
        authorizationServer,
        registration,
        port,
        redirectUri,
      };
      const prepared = await withAttempt({ ...base, attempts: [], url: '' }, scope);
      const claimed: PendingSignIn = { ...pending, owner: me, prepared, ...(scope === undefined ? {} : { scope }) };
      takeInHand(listener, claimed, prepared);
      const record = await claim(pending, claimed);
      if (!sameSignIn(record, claimed)) giveUp(listener);
    } catch (error) {
      listener?.loopback.close();
      await store.update((now) => (sameSignIn(now, pending) ? withoutPending(now) : undefined));
      throw error;
    }
  };

  /** Writes `claimed` in place of `pending`, if that still is the one in the record. */
  const claim = (pending: PendingSignIn, claimed: PendingSignIn) =>
    store.update((now) => (sameSignIn(now, pending) ? { ...now, pendingSignIn: claimed } : undefined));

  const isAlive = async (pending: PendingSignIn) => {
    const age = clock.now() - pending.since;
    if (isElsewhere(pending.owner)) return age < pendingLimit;
    if (!pending.prepared) return !isGone(pending.owner) && age < preparationLimit;
    const alive = await ports.isListening(pending.prepared.port, pending.id);
    if (alive) portRefused = undefined;
    return alive;
  };

  const takeOver = async (pending: PendingSignIn) => {
    const { prepared } = pending;
    if (clock.now() - pending.since > pendingLimit) return withdraw(pending);
    if (!prepared) {
      // With a time of its own: otherwise every other process takes it from this one at its next look.
      const mine = { ...pending, owner: me, since: clock.now() };
      const record = await claim(pending, mine);
      return record.pendingSignIn?.owner.nonce === me.nonce ? prepare(mine) : undefined;
    }
    // Whoever binds the port is the successor: two cannot.
    const listener = await bindAgain(pending, prepared.port);
    if (!listener) return;
    try {
      await claimAgain(listener, pending, prepared);
    } catch (error) {
      // A port that answers without anybody behind it would keep every other successor away.
      listener.loopback.close();
      throw error;
    }
  };

  const claimAgain = async (listener: Listener, pending: PendingSignIn, prepared: PreparedSignIn) => {
    const spent = pending.redeeming ? prepared.attempts.map(({ state }) => state) : [];
    // Spent states leave the record, too: whoever succeeds this process knows nothing of its memory.
    const next = pending.redeeming ? await withAttempt({ ...prepared, attempts: [] }, pending.scope) : prepared;
    const { redeeming: _redeeming, ...rest } = pending;
    const claimed = { ...rest, owner: me, prepared: next };
    const record = await claim(pending, claimed);
    if (record.pendingSignIn?.owner.nonce !== me.nonce) return listener.loopback.close();
    takeInHand(listener, claimed, next, spent);
    log.info('took over a pending sign-in whose process is gone', { port: prepared.port });
  };

  const bindAgain = async (pending: PendingSignIn, port: number): Promise<Listener | undefined> => {
    try {
      return await listen(pending.id, port);
    } catch {
      // A process that was stopped still holds its port and may go on; a stranger does not give it back.
      if (portRefused?.id !== pending.id) portRefused = { id: pending.id, since: clock.monotonic() };
      if (clock.monotonic() - portRefused.since > portPatience) await withdraw(pending);
      return undefined;
    }
  };

  const withdraw = async (pending: PendingSignIn) => {
    await store.update((now) => (sameSignIn(now, pending) ? withoutPending(now) : undefined));
  };

  /** Withdrawn meanwhile, or another process took us for dead and went on: nobody got to know of this listener. */
  const giveUp = ({ loopback }: Listener) => {
    loopback.close();
    hosted = undefined;
  };

  const linger = (here = hosted) => {
    if (!here || here.finished) return;
    here.finished = true;
    void clock.sleep(lingerTime, closed.signal).then(() => {
      here.loopback.close();
      if (hosted === here) hosted = undefined;
    });
  };

  const pageShown = async () => {
    if (!hosted) return;
    const patience = createDeadline(clock, pagePatience);
    await untilAborted(hosted.loopback.shown(), patience.signal).finally(patience.release);
  };

  const callback = createCallbackHandler({
    store,
    http,
    clock,
    log,
    about,
    onSignedIn: options.onSignedIn,
    onFinished: linger,
  });

  /** The port stands before the record says whose it is: a redirect that comes in between waits, or its code would be lost. */
  const listen = async (id: string, port: number): Promise<Listener> => {
    let give: Listener['give'] = () => undefined;
    const given = new Promise<HostedSignIn>((resolve) => {
      give = resolve;
    });
    const onCallback = async (query: URLSearchParams) => callback.handle(await given, query);
    return { loopback: await ports.listen({ id, port, onCallback, lostPage: callback.finishedPage }), give };
  };

  /** A fixed port may still be held by the listener of the sign-in before, in a process that makes way in a moment. */
  const listenPatiently = async (id: string, port: number): Promise<Listener> => {
    const patience = createDeadline(clock, port === 0 ? 0 : makingWay);
    for (;;) {
      try {
        return await listen(id, port);
      } catch (error) {
        if (patience.signal.aborted) throw error;
        await clock.sleep(100, patience.signal);
      }
    }
  };

  const makeWay = (id: string) => {
    if (!hosted || hosted.pending.id === id) return;
    linger();
    if (options.callbackPort === undefined) return;
    hosted.loopback.close();
    hosted = undefined;
  };

  const takeInHand = (
    { loopback, give }: Listener,
    pending: PendingSignIn,
    prepared: PreparedSignIn,
    spent: string[] = [],
  ) => {
    hosted = newHostedSignIn({ pending, prepared, loopback }, spent);
    give(hosted);
  };

  return {
    prepare,
    isAlive,
    takeOver,
    hosts: (id) => hosted?.pending.id === id,
    linger: () => linger(),
    makeWay,
    close: async () => {
      await callback.settle();
      await pageShown();
      closed.abort();
      hosted?.loopback.close();
      hosted = undefined;
    },
  };
}
