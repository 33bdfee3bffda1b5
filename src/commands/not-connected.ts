import type { ConnectionRecord } from '../credentials/record.ts';
import { BridgeError } from '../errors.ts';

/** Why a command that needs a grant cannot go on; with the link of a sign-in that waits for the person. */
export function notConnected({ state, reason, pendingSignIn }: ConnectionRecord): BridgeError {
  if (state === 'declined') return new BridgeError('AUTHORIZATION_DENIED', 'the sign-in was declined in the browser');
  const message = state === 'needs_reconnect' ? `the grant has ended (${reason})` : 'nobody is signed in';
  return new BridgeError('REAUTH_REQUIRED', message, { signInUrl: pendingSignIn?.prepared?.url });
}
