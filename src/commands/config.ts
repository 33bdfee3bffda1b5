import { type Client, clientNames, clients, requireClient } from '../clients/clients.ts';
import { disk } from '../clients/config-file.ts';
import { oneClickLink } from '../clients/one-click.ts';
import { type Machine, placeAmong } from '../clients/places.ts';
import { notesOn, serverFor } from '../clients/server.ts';
import { snippetFor } from '../clients/snippet.ts';
import { forConnection } from '../config.ts';
import type { Command } from './command.ts';

/** What a client's configuration has to hold: the snippet alone on stdout, where it goes and what then on stderr. */
export const showConfig: Command = async ({ config, machine, print, tell }) => {
  const name = requireClient('config', config.client, clientNames);
  const client = clients[name];
  const server = serverFor(client, config, machine);
  const snippet = snippetFor(client, server, machine);
  const paths = pathsOf(client, machine);
  const link = oneClickLink(name, server, 'app');
  if (config.json) {
    const { command, args, env, withheld } = server;
    const place = client.form === 'command' ? { command: snippet.trimEnd() } : { ...whereOf(paths), snippet };
    const facts = { client: name, name: server.name, ...place, server: { command, args, env }, withheld, link };
    print(`${JSON.stringify({ ...facts, restart: client.restart }, undefined, 2)}\n`);
    return 0;
  }
  print(snippet);
  for (const line of [placement(client, paths, machine), `then ${client.restart}`, ...notesOn(server)]) tell(line);
  if (link) tell(`or open this link, and ${client.title} does it: ${link}`);
  if (client.form === 'json' && client.install)
    tell(forConnection(config, `or run \`npx -y notion-mcp-bridge install ${name}\`, which does it`));
  return 0;
};

/** Where it may go: one path when that is known. */
function pathsOf(client: Client, machine: Machine): readonly string[] {
  if (client.form === 'command') return [];
  const place = placeAmong(client.files(machine, disk), false, machine, disk);
  return place.kind === 'known' ? [place.path] : place.paths;
}

function whereOf(paths: readonly string[]): { path: string } | { paths: readonly string[] } {
  const [path, ...others] = paths;
  return path !== undefined && others.length === 0 ? { path } : { paths };
}

function placement(client: Client, paths: readonly string[], { platform }: Machine): string {
  if (client.form === 'command')
    // PowerShell keeps the dashes to itself, and Git Bash takes /c for a path (anthropics/claude-code issue 90439).
    return `run this in ${platform === 'win32' ? 'a Command Prompt (cmd.exe)' : 'a terminal'}`;
  const opens = client.opens ? ` (${client.opens})` : '';
  const what = client.form === 'json' ? `merge this into` : 'add this to';
  return `${what} ${paths.join(' or ')}${opens}`;
}
