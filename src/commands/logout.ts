import type { Connection } from '../bridge.ts';
import { untilAborted } from '../clock.ts';
import { withoutGrant } from '../credentials/grant.ts';
import type { Grant } from '../credentials/record.ts';
import { BridgeError, describe } from '../errors.ts';
import { revoke } from '../oauth/revocation.ts';
import type { Command, CommandContext } from './command.ts';

/** Revokes the grant, then forgets it. Every running bridge signs out, too. */
export const logout: Command = async (context) => {
  // A server that is slow to revoke must not hold a person who interrupts.
  const done = await untilAborted(signOut(context), context.stop);
  if (done) return 0;
  throw new BridgeError('AUTHORIZATION_TIMED_OUT', 'the sign-out was not finished', {
    hint: 'run `npx -y notion-mcp-bridge logout` again',
  });
};

async function signOut(context: CommandContext): Promise<true> {
  const connection = context.openConnection();
  try {
    await forget(context, connection);
  } finally {
    await connection.close();
  }
  return true;
}

async function forget({ clock, print, log, config }: CommandContext, { store, http }: Connection): Promise<void> {
  const byHand = `remove the connection at ${config.upstreamUrl.host} in its settings`;
  const end = async (grant: Grant) => {
    try {
      const revoked = await revoke(grant, { http });
      print(revoked ? 'revoked the sign-in at the server\n' : `the server offers no revocation; ${byHand}\n`);
    } catch (error) {
      log.warn('could not revoke the sign-in at the server; forgetting it here all the same', { why: describe(error) });
      print(`the server still has the sign-in; ${byHand}\n`);
    }
  };

  const { grant } = await store.load();
  if (grant) await end(grant);
  let forgotten: Grant | undefined;
  await store.update((record) => {
    forgotten = record.grant;
    return record.grant || record.pendingSignIn ? withoutGrant(record, clock.now()) : undefined;
  });
  // Another process refreshed or signed in before the lock was ours: what was revoked may have meant nothing any more.
  if (forgotten && forgotten.tokens.refresh_token !== grant?.tokens.refresh_token) await end(forgotten);
  print(forgotten ? 'signed out\n' : 'nobody was signed in\n');
}
