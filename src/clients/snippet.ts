import type { Client, JsonClient } from './clients.ts';
import { type Json, withValue } from './json-text.ts';
import type { Machine } from './places.ts';
import type { Server } from './server.ts';

/** What a person copies: a piece of a file, or a command. Ends with a line break. */
export function snippetFor(client: Client, server: Server, { platform }: Machine): string {
  if (client.form === 'command') return addCommand(server, platform);
  if (client.form === 'toml') return tomlSnippet(server);
  return withValue({ text: '', root: undefined, comment: undefined }, pathOf(client, server), entryOf(client, server))
    .text;
}

/** Where the entry stands in the client's file. */
export function pathOf({ section }: JsonClient, { name }: Server): string[] {
  return [section, name];
}

export function entryOf({ typed }: JsonClient, { command, args, env }: Server): { [name: string]: Json } {
  return {
    ...(typed && { type: 'stdio' }),
    command,
    args: [...args],
    ...(Object.keys(env).length > 0 && { env: { ...env } }),
  };
}

function tomlSnippet({ name, command, args, env }: Server): string {
  const table = (path: string, values: object) =>
    [`[${path}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${tomlValue(value)}`), ''].join('\n');
  const server = table(`mcp_servers.${name}`, { command, args });
  return Object.keys(env).length === 0 ? server : `${server}\n${table(`mcp_servers.${name}.env`, env)}`;
}

/** A basic string of TOML takes the escapes of JSON. */
function tomlValue(value: string | readonly string[]): string {
  return typeof value === 'string' ? JSON.stringify(value) : `[${value.map(tomlValue).join(', ')}]`;
}

/** `--env` takes every word up to the next option, so the name has to come before (anthropics/claude-code issue 62332). */
function addCommand({ name, command, args, env }: Server, platform: NodeJS.Platform): string {
  const variables = Object.entries(env).flatMap(([variable, value]) => ['--env', `${variable}=${value}`]);
  const words = ['claude', 'mcp', 'add', '--scope', 'user', name, ...variables, '--', command, ...args];
  return `${words.map((word) => quoted(word, platform)).join(' ')}\n`;
}

function quoted(word: string, platform: NodeJS.Platform): string {
  if (/^[\w:/\\.@=+,-]+$/.test(word) && !(word.includes('\\') && platform !== 'win32')) return word;
  return platform === 'win32' ? `"${word}"` : `'${word.replaceAll("'", "'\\''")}'`;
}
