import { type Clock, createDeadline, createPatientDeadline, untilAborted } from './clock.ts';
import { withNewGrant } from './credentials/grant.ts';
import {
  type AuthorizationAttempt,
  authorizationOf,
  type ConnectionRecord,
  fingerprint,
  type Grant,
  isConnected,
  withoutPending,
} from './credentials/record.ts';
import { refreshTimeLimit } from './credentials/refresh-plan.ts';
import type { Store } from './credentials/store.ts';
import { describe } from './errors.ts';
import type { Http } from './http.ts';
import type { Log } from './log.ts';
import { exchangeErrorOf, readCallback, redeemCode } from './oauth/authorization.ts';
import type { CallbackAnswer } from './oauth/loopback.ts';
import type { Connecting, Page } from './oauth/page.ts';
import { revoke } from './oauth/revocation.ts';
import { type HostedSignIn, ownedBy, requestOf, withAttempt } from './sign-in-hosted.ts';

interface CallbackOptions {
  store: Store;
  http: Http;
  clock: Clock;
  log: Log;
  about: Connecting;
  /** An approval is stored. */
  onSignedIn?: (() => void) | undefined;
  /** The sign-in is over: approved and stored, or declined. */
  onFinished(here: HostedSignIn): void;
}

export interface CallbackHandler {
  /** For a tab that comes back to a sign-in that is over, or that nobody knows. */
  readonly finishedPage: Page;
  /** What the browser's redirect leads to: a code redeemed once and stored, a refusal, or a page that says what went wrong. */
  handle(here: HostedSignIn, query: URLSearchParams): Promise<CallbackAnswer>;
  /** The last call: a code that is being redeemed is waited for, and its answer stored if the disk takes it. */
  settle(): Promise<void>;
}

const savePatience = 10_000;

export function createCallbackHandler({
  store,
  http,
  clock,
  log,
  about,
  onSignedIn,
  onFinished,
}: CallbackOptions): CallbackHandler {
  const finishedPage: Page = { kind: 'finished', about };
  const work = new Set<Promise<unknown>>();
  const closed = new AbortController();

  const handle = async (here: HostedSignIn, query: URLSearchParams): Promise<CallbackAnswer> => {
    const given = query.get('state') ?? '';
    if (here.spentStates.has(given)) return { redirectTo: here.prepared.url };
    const attempt = here.prepared.attempts.find(({ state }) => state === given);
    if (!attempt) return { page: finishedPage };
    const callback = readCallback(requestOf(here), attempt, query);
    if (callback.kind === 'error') return refuse(here, callback.oauthError);
    const name = fingerprint(callback.code);
    const answer = here.answers.get(name) ?? redeem(here, attempt, callback.parameters, name);
    here.answers.set(name, answer);
    return answer;
  };

  const refuse = async (here: HostedSignIn, oauthError: string): Promise<CallbackAnswer> => {
    log.warn('the authorization server answered with an error', { oauthError });
    // Approved before, in another tab or by going back in this one: that stands.
    if (here.storedCode > 0) return { page: finishedPage };
    if (oauthError !== 'access_denied') return showFailure(here, `The authorization server answered ${oauthError}`);
    const { state } = await store.update((now) => {
      if (now.pendingSignIn?.id !== here.pending.id) return undefined;
      const rest = withoutPending(now);
      // Saying no to a second sign-in does not end the first (product.md 7, --reauth).
      return now.state === 'connected' ? rest : { ...rest, state: 'declined' };
    });
    onFinished(here);
    return show({ kind: 'declined', stillConnected: state === 'connected' });
  };

  const redeem = async (
    here: HostedSignIn,
    attempt: AuthorizationAttempt,
    parameters: URLSearchParams,
    name: string,
  ): Promise<CallbackAnswer> => {
    const redeeming = { fingerprint: name, since: clock.now() };
    try {
      const record = await store.update((now) =>
        ownedBy(now, here) ? { ...now, pendingSignIn: { ...now.pendingSignIn, redeeming } } : undefined,
      );
      here.replaces = authorizationOf(record);
      here.isNoted = true;
    } catch (error) {
      // The code was not sent, so it is still good: the person may reload. Where one was sent, this approval has ended the
      // grant that came for it, and the note of it stands.
      if (!here.isNoted) {
        here.answers.delete(name);
        return show({ kind: 'failed', problem: `The sign-in cannot be stored: ${describe(error)}` });
      }
    }
    // From here on the exit waits: before, nothing was sent (product.md 4).
    return track(exchange(here, attempt, parameters));
  };

  const exchange = async (
    here: HostedSignIn,
    attempt: AuthorizationAttempt,
    parameters: URLSearchParams,
  ): Promise<CallbackAnswer> => {
    here.redeemedStates.add(attempt.state);
    here.sentCodes += 1;
    const turn = here.sentCodes;
    const deadline = createPatientDeadline(clock, refreshTimeLimit);
    const sentAt = clock.now();
    try {
      const response = await redeemCode(requestOf(here), attempt, parameters, { http, signal: deadline.signal });
      const redeemed = { prepared: here.prepared, requestedScope: here.pending.scope, response, sentAt };
      return await keep(here, { turn, sentAt }, (record) => withNewGrant(record, redeemed, clock.now()));
    } catch (error) {
      const oauthError = exchangeErrorOf(error);
      log.warn('the code could not be redeemed', { oauthError, why: describe(error) });
      return showFailure(here, `The authorization server did not accept the approval (${oauthError})`);
    } finally {
      deadline.release();
    }
  };

  /** Tokens in and pending out in one write; tried until it succeeds, since a successful answer is never dropped (P4). */
  const keep = async (
    here: HostedSignIn,
    { turn, sentAt }: { turn: number; sentAt: number },
    change: (record: ConnectionRecord) => ConnectionRecord,
  ): Promise<CallbackAnswer> => {
    let replaced: Grant | undefined;
    let trouble: unknown;
    const save = async (): Promise<ConnectionRecord> => {
      for (;;) {
        try {
          const record = await store.update((now) => {
            // The person approved again meanwhile, which ended this grant: the older never overwrites the newer (P4).
            if (here.storedCode > turn) return undefined;
            const other = finishedMeanwhile(now, here);
            if (other && other.authorizedAt > sentAt) {
              replaced = change(now).grant;
              return undefined;
            }
            replaced = other ?? (isAnotherOf(now, here) ? now.grant : undefined);
            return change(now);
          });
          here.storedCode = Math.max(here.storedCode, turn);
          return record;
        } catch (error) {
          trouble = error;
          log.error('the new tokens could not be stored yet', { why: describe(error) });
          if (closed.signal.aborted) throw error;
          await clock.sleep(1_000, closed.signal);
        }
      }
    };
    const patience = createDeadline(clock, savePatience);
    const record = await untilAborted(track(save()), patience.signal).finally(patience.release);
    if (!record) return show({ kind: 'failed', problem: `The sign-in cannot be stored yet: ${describe(trouble)}` });
    log.info('signed in', { issuer: here.prepared.issuer });
    if (here.storedCode === turn) onSignedIn?.();
    if (replaced) void track(revokeReplaced(replaced));
    onFinished(here);
    return show({ kind: 'connected', workspace: record.grant?.identity.workspace_name });
  };

  const revokeReplaced = async (grant: Grant) => {
    await revoke(grant, { http }).catch((error) =>
      log.warn('the replaced grant could not be revoked', { why: describe(error) }),
    );
  };

  /** The sign-in stays pending; the page offers a fresh authorize URL. */
  const showFailure = async (here: HostedSignIn, problem: string): Promise<CallbackAnswer> => {
    const prepared = await withAttempt(here.prepared, here.pending.scope);
    here.prepared = prepared;
    const attempts = prepared.attempts.filter(({ state }) => !here.redeemedStates.has(state));
    here.isNoted = false;
    await store
      .update((now) => {
        if (!ownedBy(now, here)) return undefined;
        const { redeeming: _redeeming, ...rest } = now.pendingSignIn;
        return { ...now, pendingSignIn: { ...rest, prepared: { ...prepared, attempts } } };
      })
      .catch((error) => log.error('the sign-in could not be stored', { why: describe(error) }));
    return show({ kind: 'failed', problem, retryUrl: prepared.url });
  };

  const show = (page: Omit<Page, 'about'>): CallbackAnswer => ({ page: { ...page, about } });

  const track = <T>(promise: Promise<T>): Promise<T> => {
    work.add(promise);
    promise.finally(() => work.delete(promise)).catch(() => undefined);
    return promise;
  };

  return {
    finishedPage,
    handle,
    settle: async () => {
      // A disk that stays full must not keep a process alive whose client is gone.
      void clock.sleep(savePatience).then(() => closed.abort());
      await Promise.allSettled(work);
    },
  };
}

/**
 * The grant of another sign-in that was finished while this one stood still with its answer. Of the two the one that was
 * approved later stays (P4), and the other is given back.
 */
function finishedMeanwhile(record: ConnectionRecord, { prepared, replaces }: HostedSignIn): Grant | undefined {
  if (!isConnected(record) || authorizationOf(record) === replaces) return undefined;
  return record.grant.registration.client_id === prepared.registration.client_id ? undefined : record.grant;
}

/** `--reauth`: what the record held until now is given back. */
function isAnotherOf(record: ConnectionRecord, { pending }: HostedSignIn): boolean {
  return pending.again === true && record.pendingSignIn?.id === pending.id;
}
