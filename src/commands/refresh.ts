import { createDeadline } from '../clock.ts';
import { type ConnectionRecord, type Grant, isConnected } from '../credentials/record.ts';
import { isRenewable, rejectionOf } from '../credentials/refresh-plan.ts';
import { BridgeError } from '../errors.ts';
import type { Command, CommandContext } from './command.ts';
import { notConnected } from './not-connected.ts';
import { distance, isoTime, readableTime } from './readable-time.ts';

/** For waiting, for the network or for another process; a request that was sent is waited for beyond it. */
const patience = 30_000;
/** A day, less what a daily schedule wobbles by: it must not miss every other day. */
const oldEnough = 20 * 3_600_000;

/** For schedulers: keeps the grant alive where a client rarely runs. Never opens a browser, never begins a sign-in. */
export const refresh: Command = async (context) => {
  const { clock, stop } = context;
  const { store, tokens, close } = context.openConnection();
  const before = await store.load();
  const deadline = createDeadline(clock, patience, stop);
  const renewed = await tokens.renew(limitOf(before, context), deadline.signal).catch((error: unknown) => ({ error }));
  deadline.release();
  await close();
  // A request that was sent was waited for just now: what the record says counts, whatever was given up before.
  const after = await store.load();
  if (!isConnected(after)) throw notConnected(after);
  const isNew = after.grant.refreshedAt !== before.grant?.refreshedAt;
  if (!isNew && typeof renewed === 'object') throw stop.aborted ? interrupted() : renewed.error;
  if (!isNew && renewed === 'withheld' && isRenewable(after.grant)) throw withheld(after.grant);
  context.print(`${answer(context, after.grant, isNew ? 'refreshed' : 'fresh')}\n`);
  return 0;
};

/** A refresh that is younger than this suffices. With `--force` it has to come after the last one that is known of. */
function limitOf({ grant }: ConnectionRecord, { config, clock }: CommandContext): number {
  return config.force && grant ? grant.refreshedAt + 1 : clock.now() - oldEnough;
}

function answer({ config, clock }: CommandContext, grant: Grant, result: 'refreshed' | 'fresh'): string {
  const refreshed = isoTime(grant.refreshedAt);
  const accessTokenExpires = isoTime(grant.tokens.expiresAt);
  if (config.json) return JSON.stringify({ result, refreshed, accessTokenExpires }, undefined, 2);
  const now = clock.now();
  if (result === 'refreshed')
    return `refreshed; the access token serves until ${readableTime(accessTokenExpires, now)}`;
  const why = isRenewable(grant) ? `refreshed ${distance(refreshed, now)}` : 'the server issued no refresh token';
  return `nothing to do: ${why}`;
}

/** It would be due, but the record says not to send it while the access token works (product.md 6.5, 6.6). */
function withheld(grant: Grant): BridgeError {
  const rejection = rejectionOf(grant);
  if (rejection)
    return new BridgeError('REAUTH_REQUIRED', `the server rejected the refresh token (${rejection.oauthError})`, {
      hint: 'run `npx -y notion-mcp-bridge login --force`; the access token may still serve for a while',
    });
  const message = 'the outcome of the last refresh is unknown, so its token is not presented again for now';
  return new BridgeError('AUTHORIZATION_SERVER_UNREACHABLE', message, {
    hint: `run \`npx -y notion-mcp-bridge refresh\` again after ${isoTime(grant.tokens.expiresAt)}`,
  });
}

function interrupted(): BridgeError {
  return new BridgeError('AUTHORIZATION_TIMED_OUT', 'the refresh was interrupted; nothing was lost', {
    hint: 'run `npx -y notion-mcp-bridge refresh` again',
  });
}
