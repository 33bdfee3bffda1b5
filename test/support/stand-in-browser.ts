import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { approve, deny, follow } from './upstream/browser.ts';

/** What the person at the stand-in browser does with a tab; `follows` is for servers that ask nobody for consent, and insists that the callback is already there. */
export type Person = 'approves' | 'denies' | 'ignores' | 'follows';

export interface Tab {
  url: string;
  /** What the tab shows in the end; undefined while the person ignores it. */
  page?: { status: number; body: string };
}

/**
 * The double for the person and the browser: a program that the bridge opens like any `$BROWSER`, independent of what the
 * machine has. It reports each tab here, where the person acts on it.
 */
export interface StandInBrowser {
  /** For `$BROWSER`. */
  command: string;
  tabs: Tab[];
  person: Person;
  /** Resolves once the n-th tab was opened and the person has acted. */
  tab(nth?: number): Promise<Tab>;
  close(): void;
}

const deeds = {
  approves: (url: string) => approve(url),
  denies: deny,
  follows: (url: string) => requireListener(url).then(() => follow(url)),
};

/** Listener first, then browser: rejects where nobody listens yet at the redirect URI of an authorization URL. */
async function requireListener(authorizationUrl: string): Promise<void> {
  const { hostname, port } = new URL(new URL(authorizationUrl).searchParams.get('redirect_uri') ?? '');
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect').catch(() => {
    throw new Error(`a tab opened before anybody listened at ${hostname}:${port}`);
  });
  socket.destroy();
}

export async function openStandInBrowser(folder: string, person: Person = 'approves'): Promise<StandInBrowser> {
  const tabs: Tab[] = [];
  const handled: Promise<void>[] = [];
  const watchers = new Set<() => void>();
  const server = createServer(async (request, response) => {
    const tab: Tab = { url: await text(request) };
    tabs.push(tab);
    response.end();
    handled.push(act(tab));
    for (const watcher of watchers) watcher();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const command = join(folder, 'stand-in-browser.mjs');
  const report = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await writeFile(
    command,
    `#!${process.execPath}\nawait fetch(${JSON.stringify(report)}, { method: 'POST', body: process.argv[2] });\n`,
  );
  await chmod(command, 0o755);

  const act = async (tab: Tab) => {
    if (browser.person !== 'ignores') tab.page = await deeds[browser.person](tab.url);
  };
  const browser: StandInBrowser = {
    command,
    tabs,
    person,
    tab: async (nth = 1) => {
      while (handled.length < nth) {
        await new Promise<void>((resolve) => {
          watchers.add(() => resolve());
        });
      }
      await handled[nth - 1];
      return tabs[nth - 1] as Tab;
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return browser;
}
