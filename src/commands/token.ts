import { createDeadline, untilAborted } from '../clock.ts';
import { type Grant, isConnected } from '../credentials/record.ts';
import { BridgeError } from '../errors.ts';
import type { Command, CommandContext } from './command.ts';
import { notConnected } from './not-connected.ts';
import { isoTime } from './readable-time.ts';

/** For a refresh that is due, made here or by another process; one that was sent is waited for beyond it. */
const patience = 30_000;

/** For scripts: a valid access token, renewed first when that is due. Never opens a browser, never begins a sign-in. */
export const token: Command = async (context) => {
  const { clock, stop, openConnection, print } = context;
  const { store, tokens, close } = openConnection();
  const deadline = createDeadline(clock, patience, stop);
  try {
    const token = await tokens.current({ signal: deadline.signal });
    if (!token) throw notConnected(await store.load());
    // One that is about to end is renewed in the background, and a strict server ends the old one with that.
    await untilAborted(tokens.settled(), deadline.signal);
  } catch (error) {
    throw stop.aborted ? interrupted() : error;
  } finally {
    deadline.release();
    await close();
  }
  const record = await store.load();
  if (!isConnected(record)) throw notConnected(record);
  print(answer(context, record.grant));
  return 0;
};

function answer({ config }: CommandContext, { tokens }: Grant): string {
  const { access_token: accessToken, expiresAt } = tokens;
  const header = `Authorization: Bearer ${accessToken}`;
  if (!config.json) return `${config.header ? header : accessToken}\n`;
  return `${JSON.stringify({ accessToken, header, accessTokenExpires: isoTime(expiresAt) }, undefined, 2)}\n`;
}

function interrupted(): BridgeError {
  return new BridgeError('AUTHORIZATION_TIMED_OUT', 'the refresh was interrupted; nothing was lost', {
    hint: 'run `npx -y notion-mcp-bridge token` again',
  });
}
