import { clientNames, clients, type JsonClient, requireClient } from '../clients/clients.ts';
import { type ConfigFile, disk, readConfigFile, type Saved, saveConfigFile } from '../clients/config-file.ts';
import { editEntry, type Impossible } from '../clients/entry-edit.ts';
import { type Change, positionOf } from '../clients/json-text.ts';
import { chosenFile, type Machine, placeAmong } from '../clients/places.ts';
import { notesOn, serverFor } from '../clients/server.ts';
import { BridgeError } from '../errors.ts';
import { oneLine } from '../log.ts';
import type { Command } from './command.ts';

/** Adds the bridge to the configuration of a client: shows the change, keeps a backup, touches no other entry. */
export const install: Command = async ({ config, machine, clock, print, tell }) => {
  const name = requireClient('install', config.client, editable);
  const client = clients[name] as JsonClient;
  const server = serverFor(client, config, machine);
  const file = readConfigFile(placeOf(client, machine));
  const edit = editEntry(file.text, client, server);
  if (edit.kind === 'impossible') throw refused(file, edit);
  for (const line of [...notesOn(server), ...strictNotes(file, edit.comment, client)]) tell(line);

  const { path } = file;
  const changed = edit.changes.length > 0;
  if (!config.json) print(changed ? `${path}\n\n${edit.changes.map(shown).join('')}\n` : `${path}\n`);
  const saved = changed ? await saveConfigFile(file, edit.text, clock.now()) : undefined;
  if (config.json) {
    const facts = { client: name, name: server.name, path, changed, backup: saved?.backup, withheld: server.withheld };
    print(`${JSON.stringify({ ...facts, restart: saved && client.restart }, undefined, 2)}\n`);
  } else if (saved) {
    print(`${server.name} is set up in ${client.title}${historyOf(saved, client)}\nnow ${client.restart}\n`);
  } else {
    print(`${server.name} is already there; nothing was changed\n`);
  }
  return 0;
};

const editable = clientNames.filter((name) => {
  const client = clients[name];
  return client.form === 'json' && client.install !== undefined;
});

function placeOf(client: JsonClient, machine: Machine): string {
  const place = placeAmong(client.files(machine, disk), client.install === 'own-folder', machine, disk);
  if (place.kind === 'known') return place.path;
  const opens = client.opens ? ` (${client.opens})` : '';
  if (place.kind === 'several')
    throw new BridgeError(
      'CONFIG_INVALID',
      `found more than one config of ${client.title}: ${place.paths.join(' and ')}`,
      {
        hint: `set ${chosenFile} to the one that ${client.title} reads${opens}, then try again`,
      },
    );
  throw new BridgeError('CONFIG_INVALID', `could not find ${client.title}: no folder for ${place.paths.join(' or ')}`, {
    hint: `start ${client.title} once and try again, or set ${chosenFile} to the path of its config file`,
  });
}

function refused({ path, text }: ConfigFile, { offset, what, remedy }: Impossible): BridgeError {
  const { line, column } = positionOf(text, offset);
  return new BridgeError('CONFIG_INVALID', `${path} line ${line}, column ${column}: ${what}`, {
    hint: `${remedy}, then try again; nothing was changed`,
  });
}

/** The file was like that before and stays so, but its owner should know that the client may not read it. */
function strictNotes({ path, text, hasByteOrderMark }: ConfigFile, comment: number | undefined, client: JsonClient) {
  if (!client.strict) return [];
  const what = [
    ...(hasByteOrderMark ? ['the byte order mark'] : []),
    ...(comment === undefined ? [] : [`the comment in line ${positionOf(text, comment).line}`]),
  ];
  return what.map((reason) => `${client.title} reads plain JSON: ${reason} may keep it from loading ${path}`);
}

/** The member that changed, out of its indentation. */
function shown({ removed, added }: Omit<Change, 'text'>): string {
  const marked = (text: string, mark: string) => {
    const lines = text === '' ? [] : text.split(/\r\n|\n|\r/);
    const indentation = /^\s*/.exec(lines.at(-1) ?? '')?.[0] ?? '';
    return lines.map(
      (line) => `  ${mark} ${oneLine(line.startsWith(indentation) ? line.slice(indentation.length) : line)}\n`,
    );
  };
  return [...marked(removed, '-'), ...marked(added, '+')].join('');
}

function historyOf({ backup, madeFolder }: Saved, { title }: JsonClient): string {
  if (backup) return `; the file as it was is ${backup}`;
  return madeFolder ? `; its file and folder are new: ${title} seems not to have run here yet` : '; its file is new';
}
