import { readFileSync, statSync } from 'node:fs';
import { clientNames, clients } from '../../clients/clients.ts';
import { disk } from '../../clients/config-file.ts';
import { inHome, type Machine } from '../../clients/places.ts';

/** The configuration file of an MCP client. */
export interface ClientConfig {
  client: string;
  path: string;
  /** Whether it starts notion-mcp-bridge, in whatever form. */
  mentionsUs: boolean;
}

const ours = 'notion-mcp-bridge';
/** Claude Code keeps much else in its file. */
const longestConfig = 64 * 1024 * 1024;

/** The files of the known clients that are there, whatever is in them; they are only read. */
export function findClientConfigs(machine: Machine): ClientConfig[] {
  return knownPlaces(machine).flatMap(({ client, path }) => {
    const text = textOf(path);
    return text === undefined ? [] : [{ client, path, mentionsUs: text.includes(ours) }];
  });
}

/** Claude Code's own file is not one to edit, but to look into. */
function knownPlaces(machine: Machine): { client: string; path: string }[] {
  return clientNames.flatMap((name) => {
    const client = clients[name];
    const paths = client.form === 'command' ? [inHome(machine, '.claude.json')] : client.files(machine, disk);
    return paths.map((path) => ({ client: client.title, path }));
  });
}

function textOf(path: string): string | undefined {
  try {
    return statSync(path).size > longestConfig ? '' : readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
