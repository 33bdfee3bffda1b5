import type { ChildProcess } from 'node:child_process';
import open from 'open';
import type { Clock } from '../clock.ts';
import { isTrustworthy } from '../http.ts';

/** Opens a URL for the person. False when it is known that no tab opened; the link is the way then. */
export type OpenBrowser = (url: string) => Promise<boolean>;

/** `open` resolves although the opener fails: it is watched for this long (clients.md). */
const openerPatience = 2_000;

export interface BrowserEnvironment {
  /** `$BROWSER`: commands separated by colons, of which the first counts; it takes the URL as its last argument. */
  browser?: string | undefined;
  /** A desktop session that an opener could use (always true outside of Linux). */
  hasDesktop: boolean;
}

/** Undefined where no tab can open at all: then nobody has used up the one tab of a need, either (P5). */
export function createBrowser(environment: BrowserEnvironment, clock: Clock): OpenBrowser | undefined {
  const { browser, hasDesktop } = environment;
  const [name, ...args] = openerCommand(browser);
  if (name === undefined && !hasDesktop) return undefined;
  return async (url) => {
    if (!isTrustworthy(new URL(url))) return false;
    try {
      // The URL is one argument of a spawned program; no shell sees it (product.md 11).
      const opener = await open(url, name === undefined ? {} : { app: { name, arguments: args } });
      return await opened(opener, clock);
    } catch {
      return false;
    }
  };
}

/** The program that `$BROWSER` names first, and its arguments; empty without one. */
export function openerCommand(browser = ''): string[] {
  const [first = ''] = browser.split(':');
  return first.split(' ').filter((part) => part !== '' && part !== '%s');
}

/** An opener that ends badly within its patience has opened nothing; one that still runs is the browser itself. */
async function opened(opener: ChildProcess, clock: Clock): Promise<boolean> {
  const exited = new AbortController();
  let failed = opener.exitCode !== null && opener.exitCode !== 0;
  opener.once('error', () => {
    failed = true;
    exited.abort();
  });
  opener.once('exit', (code) => {
    failed = code !== 0;
    exited.abort();
  });
  if (opener.exitCode === null) await clock.sleep(openerPatience, exited.signal);
  return !failed;
}
