import { type Clock, createDeadline, untilAborted } from './clock.ts';
import { authorizationOf, type ConnectionRecord, isConnected } from './credentials/record.ts';
import type { Store } from './credentials/store.ts';
import { BridgeError, describe } from './errors.ts';
import type { Log } from './log.ts';
import type { SignInLink } from './mcp/sign-in-offers.ts';
import type { Challenge } from './oauth/discovery.ts';
import type { SignIn, SignInState, TabPolicy } from './sign-in.ts';

/** Who wants upstream, and so whether a tab may open, and how long to wait for the person, ms (product.md 4). */
export interface Asker {
  tab: TabPolicy;
  /** For the first sign-in of a record. */
  first: number;
  /** For a reconnect whose tab this process opened. */
  opened: number;
  /** For any other. */
  otherwise: number;
  /** Whether the link is offered in the client, too, where no tab opens: to a person who does something, not to a start. */
  offers: boolean;
}

export const askers = {
  toolCall: { tab: 'automatic', first: 45_000, opened: 10_000, otherwise: 0, offers: true },
  connectTool: { tab: 'asked', first: 45_000, opened: 45_000, otherwise: 45_000, offers: true },
  toolList: { tab: 'automatic', first: 8_000, opened: 8_000, otherwise: 0, offers: false },
  /** For clients that ask for the list once and ignore that it changed. */
  onlyToolList: { tab: 'automatic', first: 45_000, opened: 45_000, otherwise: 0, offers: false },
} as const satisfies Record<string, Asker>;

export interface SignInNeed {
  challenge: Challenge;
  /** The authorization whose token was sent, if any. */
  authorization?: string | undefined;
}

/** A request that waits for a sign-in. */
export interface Waiting {
  cancelled: AbortSignal;
  /** Offers the link to the person beside the answer, where the client can do that. */
  offer?: ((link: SignInLink) => void) | undefined;
}

export interface SignInPolicy {
  /** Resolves when the request may be sent again. @throws BridgeError with the link, when the person is still to act */
  satisfy(need: SignInNeed, asker: Asker, waiting: Waiting): Promise<void>;
  /** The error for requests that may not start a sign-in; with the link of one that is pending. */
  required(): Promise<BridgeError>;
  /** `--reauth`: begins one sign-in in the background, unless the record was authorized after this process started. */
  signInAgain(): Promise<void>;
}

interface PolicyOptions {
  signIn: SignIn;
  store: Store;
  clock: Clock;
  log: Log;
  /** When this process started. */
  startedAt: number;
}

/** For discovery, binding and registration, or for another process to do that. */
const preparationBound = 30_000;

export function createSignInPolicy({ signIn, store, clock, log, startedAt }: PolicyOptions): SignInPolicy {
  const satisfy: SignInPolicy['satisfy'] = async ({ challenge, authorization: seen }, asker, waiting) => {
    const { cancelled } = waiting;
    const record = await store.load();
    const scope = stepUpScope(record, challenge);
    const state = await within(preparationBound, cancelled, (signal) =>
      untilAborted(signIn.begin({ challenge, tab: asker.tab, seen, scope }, signal), signal),
    );
    if (!state) throw tooSlow();
    if (state.kind === 'connected') return;
    const patience = patienceOf(asker, state);
    const offer = () => {
      if (asker.offers && !state.opened && !cancelled.aborted) waiting.offer?.(linkOf(state));
    };
    // A tab that is open already is enough to begin with.
    if (patience === 0 || asker.tab === 'asked') offer();
    const outcome = await within(patience, cancelled, (signal) => signIn.outcome(seen, signal));
    if (outcome === 'connected') return;
    if (outcome === 'declined')
      throw new BridgeError('AUTHORIZATION_DENIED', 'the sign-in was declined in the browser');
    if (outcome === 'withdrawn')
      throw new BridgeError('REAUTH_REQUIRED', 'the sign-in was ended before it was finished', {
        hint: 'try again for a new link',
      });
    offer();
    throw stillPending(state, patience);
  };

  const linkOf = ({ id, url }: SignInState & { kind: 'pending' }): SignInLink => {
    const ended = () => store.waitFor((now) => now.pendingSignIn?.id !== id, new AbortController().signal);
    return { id, url, ended };
  };

  const within = async <T>(ms: number, cancelled: AbortSignal, work: (signal: AbortSignal) => Promise<T>) => {
    const deadline = createDeadline(clock, ms, cancelled);
    return work(deadline.signal).finally(deadline.release);
  };

  const required = async () => {
    const record = await store.load();
    const signInUrl = record.pendingSignIn?.prepared?.url;
    const hint = 'call any tool, or run `npx -y notion-mcp-bridge login`';
    return new BridgeError('REAUTH_REQUIRED', 'a sign-in is needed', { hint, signInUrl });
  };

  const signInAgain = async () => {
    try {
      const record = await store.load();
      if (!isConnected(record) || record.grant.authorizedAt >= startedAt) return;
      const challenge = { resourceMetadataUrl: record.grant.resourceMetadataUrl };
      const request = { challenge, tab: 'automatic', seen: authorizationOf(record), again: true } as const;
      await within(preparationBound, new AbortController().signal, (signal) => signIn.begin(request, signal));
    } catch (error) {
      log.warn('could not begin the sign-in that --reauth asks for', { why: describe(error) });
    }
  };

  return { satisfy, required, signInAgain };
}

function patienceOf(asker: Asker, state: SignInState & { kind: 'pending' }): number {
  // Waiting for a person who has neither tab nor link is no use: the answer brings the link.
  if (state.unseen) return 0;
  if (state.first) return asker.first;
  return state.opened ? asker.opened : asker.otherwise;
}

/** It goes on in the background; the next call joins it (P6). */
function tooSlow(): BridgeError {
  return new BridgeError(
    'AUTHORIZATION_SERVER_UNREACHABLE',
    `the authorization server did not let a sign-in begin within ${preparationBound / 1000} seconds`,
  );
}

function stillPending(state: SignInState & { kind: 'pending' }, waited: number): BridgeError {
  const hint = 'open the link in a browser and approve, then try again';
  return waited > 0
    ? new BridgeError(
        'AUTHORIZATION_TIMED_OUT',
        `the sign-in was not finished within ${waited / 1000} seconds; it still can be`,
        { hint, signInUrl: state.url },
      )
    : new BridgeError('REAUTH_REQUIRED', 'a sign-in is needed', { hint, signInUrl: state.url });
}

function grantedScope(record: ConnectionRecord): string | undefined {
  return record.grant?.tokens.scope ?? record.grant?.requestedScope;
}

/** A step-up asks for what is granted and for what is missing (product.md 6.8); undefined when it is none. */
export function stepUpScope(record: ConnectionRecord, challenge: Challenge): string | undefined {
  return challenge.error === 'insufficient_scope' ? union(grantedScope(record), challenge.scope) : undefined;
}

function union(...scopes: (string | undefined)[]): string {
  return [...new Set(scopes.flatMap((scope) => scope?.split(' ') ?? []))].filter((scope) => scope !== '').join(' ');
}
