import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import type { Connection } from '../bridge.ts';
import type { Environment } from '../config.ts';
import { describe } from '../errors.ts';
import type { SignInState } from '../sign-in.ts';
import type { CommandContext } from './command.ts';

type PendingState = SignInState & { kind: 'pending' };

/** The link, and the ways in which the answer can come back. */
export function showLink({ print, ink, machine }: CommandContext, { url, opened }: PendingState): void {
  const link = `\n  ${ink.link(url)}\n`;
  if (opened) {
    print(`your browser is open; approve there. If it is not, open this link:\n${link}\n`);
    return;
  }
  const { port } = new URL(new URL(url).searchParams.get('redirect_uri') as string);
  print(`open this link in a browser and approve:\n${link}
If that browser runs on another machine, either forward the port first, from there:

  ${sshCommand(port, machine.environment)}

or approve, copy the address of the page that then cannot be shown, paste it here and press Enter.

`);
}

/** To this machine as the person's own ssh reached it, or else by its name. */
function sshCommand(port: string, { SSH_CONNECTION = '', USER, LOGNAME }: Environment): string {
  const [, , address = hostname(), sshPort = '22'] = SSH_CONNECTION.split(' ');
  const user = USER ?? LOGNAME;
  const target = user ? `${user}@${address}` : address;
  const isPlain = /^[\w.:%@-]+$/.test(target) && /^\d+$/.test(sshPort);
  const to = isPlain ? `${sshPort === '22' ? '' : `-p ${sshPort} `}${target}` : 'THIS-MACHINE';
  return `ssh -L ${port}:127.0.0.1:${port} ${to}`;
}

export interface PastedRedirects {
  /** Aborts when the input has ended, and what it brought was handed on and answered. */
  readonly ended: AbortSignal;
  close(): void;
}

/** The redirect of a browser that cannot reach this machine, handed on to the listener, whichever process has it. */
export function acceptPastedRedirect({ stdio, print }: CommandContext, connection: Connection): PastedRedirects {
  const lines = createInterface({ input: stdio.input });
  const ended = new AbortController();
  const handed: Promise<void>[] = [];
  lines.on('line', (line) => {
    if (line.trim() === '') return;
    const told = handOn(line.trim(), connection).then((problem) => problem && print(`${problem}\n`));
    handed.push(told.then(() => undefined));
  });
  lines.on('close', () => void Promise.all(handed).then(() => ended.abort()));
  return { ended: ended.signal, close: () => lines.close() };
}

/** What is wrong with the address, if anything. */
async function handOn(address: string, { http, store }: Connection): Promise<string | undefined> {
  try {
    const { pendingSignIn } = await store.load();
    const redirectUri = pendingSignIn?.prepared?.redirectUri;
    if (redirectUri === undefined) return undefined;
    if (!address.startsWith(`${redirectUri}?`))
      return `that is not the address of this sign-in; it begins with ${redirectUri}`;
    const response = await http.request(new URL(address), { method: 'GET', headers: {}, connection: 'new' });
    response.body.resume();
    return undefined;
  } catch (error) {
    return `could not use that address (${describe(error)})`;
  }
}
