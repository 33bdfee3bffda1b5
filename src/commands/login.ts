import type { Connection } from '../bridge.ts';
import { createDeadline, untilAborted } from '../clock.ts';
import type { Environment } from '../config.ts';
import { authorizationOf, type ConnectionRecord, isConnected } from '../credentials/record.ts';
import { BridgeError } from '../errors.ts';
import { makeContact } from '../first-contact.ts';
import { oneLine } from '../log.ts';
import type { SignInOutcome, SignInRequest } from '../sign-in.ts';
import { stepUpScope } from '../sign-in-policy.ts';
import type { Command, CommandContext } from './command.ts';
import { acceptPastedRedirect, showLink } from './login-prompt.ts';
import { startSpinner } from './spinner.ts';

/** How long a person may take. The sign-in stays pending after that, for whichever bridge runs. */
const patience = 3_600_000;
/** Without tab and terminal, for an address that a pipe may still bring. */
const unattendedPatience = 300_000;

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
  context.print(`${context.ink.good('connected')} to ${oneLine(contact.serverName)} (${how})\n`);
  return undefined;
}

async function signIn(context: CommandContext, connection: Connection, request: SignInRequest): Promise<void> {
  const deadline = createDeadline(context.clock, patience);
  try {
    const state = await connection.signIn.begin(request, deadline.signal);
    if (state.kind === 'connected') return;
    showLink(context, state);
    await awaitPerson(context, connection, { seen: request.seen, opened: state.opened });
  } finally {
    deadline.release();
  }
}

/** Waits for the approval, as long as somebody could be there to give it. */
async function awaitPerson(
  context: CommandContext,
  connection: Connection,
  { seen, opened }: { seen: string | undefined; opened: boolean },
): Promise<void> {
  const { clock, isTerminal, machine } = context;
  const isAttended = opened || isTerminal.input || isTerminal.output;
  if (!isAttended && isAutomated(machine.environment)) throw nobodyThere();
  const pasted = acceptPastedRedirect(context, connection);
  const deadline = isAttended
    ? createDeadline(clock, patience)
    : createDeadline(clock, unattendedPatience, pasted.ended);
  const waiting = showWaiting(context, opened);
  try {
    const outcome = await connection.signIn.outcome(seen, deadline.signal);
    if (outcome !== 'still pending' || isAttended) return requireConnected(outcome);
    // What the input brought last may be in the record already, written by another process.
    if (!isNewly(await connection.store.load(), seen)) throw nobodyThere();
  } finally {
    waiting.stop();
    pasted.close();
    deadline.release();
  }
}

function isNewly(record: ConnectionRecord, seen: string | undefined): boolean {
  return isConnected(record) && authorizationOf(record) !== seen;
}

/** A line that moves would run through an address that is being pasted. */
function showWaiting(context: CommandContext, opened: boolean): { stop(): void } {
  const { clock, print, isTerminal } = context;
  const mayMove = isTerminal.output && (opened || !isTerminal.input);
  return startSpinner({ clock, print, isTerminal: { ...isTerminal, output: mayMove } }, 'waiting for you');
}

/** What build services tell of themselves. */
function isAutomated({ CI = '' }: Environment): boolean {
  return !/^(|0|false)$/i.test(CI);
}

function nobodyThere(): BridgeError {
  return new BridgeError('REAUTH_REQUIRED', 'a sign-in needs a person: no browser opened here, and nobody can answer', {
    hint: 'run `npx -y notion-mcp-bridge login` in a terminal on this machine (over SSH with `ssh -t`)',
  });
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
  const to = workspace === undefined ? '' : ` to ${oneLine(workspace)}`;
  context.print(`${context.ink.good('signed in')}${to}; connected to ${oneLine(contact.serverName)}\n`);
}
