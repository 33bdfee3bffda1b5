import { createInterface } from 'node:readline';
import type { Connection } from '../bridge.ts';
import { createDeadline, untilAborted } from '../clock.ts';
import { authorizationOf, isConnected } from '../credentials/record.ts';
import { BridgeError, describe } from '../errors.ts';
import { makeContact } from '../first-contact.ts';
import type { SignInOutcome, SignInRequest, SignInState } from '../sign-in.ts';
import { stepUpScope } from '../sign-in-policy.ts';
import type { Command, CommandContext } from './command.ts';

/** How long a person may take. The sign-in stays pending after that, for whichever bridge runs. */
const patience = 3_600_000;

/** Signs in from a terminal: asks upstream whether it wants that, begins or joins a sign-in, waits, and connects once. */
export const login: Command = async (context) => {
  const connection = context.openConnection();
  try {
    // Whatever it waits for, an interrupt ends it; a code that is being redeemed is waited for by `close`.
    const done = await untilAborted(signInAndGreet(context, connection), context.stop);
    if (!done)
      throw new BridgeError('AUTHORIZATION_TIMED_OUT', 'the sign-in was not finished', {
        hint: 'run `npx -y notion-mcp-bridge login` again; its tab and its link stay good',
      });
    return 0;
  } finally {
    await connection.close();
  }
};

async function signInAndGreet(context: CommandContext, connection: Connection): Promise<true> {
  const request = await needOfSignIn(context, connection);
  if (!request) return true;
  await signIn(context, connection, request);
  await greet(context, connection);
  return true;
}

/** What to ask for, or undefined when there is nothing to sign in to. */
async function needOfSignIn(context: CommandContext, connection: Connection): Promise<SignInRequest | undefined> {
  const record = await connection.store.load();
  if (isConnected(record) && context.config.force) {
    const { resourceMetadataUrl } = record.grant;
    return { challenge: { resourceMetadataUrl }, tab: 'insisted', seen: authorizationOf(record), again: true };
  }
  const contact = await makeContact(context, connection);
  if (contact.kind === 'challenged') {
    const { challenge, authorization: seen } = contact;
    return { challenge, tab: 'insisted', seen, scope: stepUpScope(await connection.store.load(), challenge) };
  }
  const how = isConnected(record)
    ? 'already signed in; `login --force` signs in again'
    : 'this server needs no sign-in';
  context.print(`connected to ${contact.serverName} (${how})\n`);
  return undefined;
}

async function signIn(context: CommandContext, connection: Connection, request: SignInRequest): Promise<void> {
  const deadline = createDeadline(context.clock, patience);
  try {
    const state = await connection.signIn.begin(request, deadline.signal);
    if (state.kind === 'connected') return;
    showLink(context, state);
    const pasted = acceptPastedRedirect(context, connection);
    requireConnected(await connection.signIn.outcome(request.seen, deadline.signal).finally(pasted.close));
  } finally {
    deadline.release();
  }
}

function showLink({ print }: CommandContext, { url, opened }: SignInState & { kind: 'pending' }): void {
  if (opened) {
    print(`your browser is open; approve there. If it is not, open this link:\n\n  ${url}\n\nwaiting for you...\n`);
    return;
  }
  const port = new URL(new URL(url).searchParams.get('redirect_uri') as string).port;
  print(`open this link in a browser and approve:\n\n  ${url}\n
If that browser runs on another machine, either forward the port first:

  ssh -L ${port}:127.0.0.1:${port} THIS-MACHINE

or approve, copy the address of the page that then cannot be shown, paste it here and press Enter.

waiting for you...\n`);
}

/** The redirect of a browser that cannot reach this machine, handed on to the listener, whichever process has it. */
function acceptPastedRedirect({ stdio, print }: CommandContext, { http, store }: Connection): { close(): void } {
  const lines = createInterface({ input: stdio.input });
  lines.on('line', async (line) => {
    try {
      const { pendingSignIn } = await store.load();
      const redirectUri = pendingSignIn?.prepared?.redirectUri;
      if (line.trim() === '' || redirectUri === undefined) return;
      if (!line.trim().startsWith(`${redirectUri}?`))
        return void print(`that is not the address of this sign-in; it begins with ${redirectUri}\n`);
      const response = await http.request(new URL(line.trim()), { method: 'GET', headers: {}, connection: 'new' });
      response.body.resume();
    } catch (error) {
      print(`could not use that address (${describe(error)})\n`);
    }
  });
  return { close: () => lines.close() };
}

function requireConnected(outcome: SignInOutcome): void {
  if (outcome === 'connected') return;
  if (outcome === 'declined') throw new BridgeError('AUTHORIZATION_DENIED', 'the sign-in was declined in the browser');
  if (outcome === 'withdrawn') throw new BridgeError('REAUTH_REQUIRED', 'the sign-in was ended by another process');
  throw new BridgeError('AUTHORIZATION_TIMED_OUT', 'the sign-in was not finished');
}

/** One connect fills the caches, so that the first start of a client has everything (product.md 4). */
async function greet(context: CommandContext, connection: Connection): Promise<void> {
  const contact = await makeContact(context, connection);
  if (contact.kind === 'challenged')
    throw new BridgeError('UPSTREAM_REFUSED', 'the server refuses the access token that was just issued');
  const { grant } = await connection.store.load();
  const workspace = grant?.identity.workspace_name;
  context.print(`signed in${workspace === undefined ? '' : ` to ${workspace}`}; connected to ${contact.serverName}\n`);
}
