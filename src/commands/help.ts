import { clients } from '../clients/clients.ts';
import { serverFor } from '../clients/server.ts';
import { snippetFor } from '../clients/snippet.ts';
import { forConnection } from '../config.ts';
import { optionTable } from '../options.ts';
import type { Command } from './command.ts';

export const help: Command = async ({ print }) => {
  print(`notion-mcp-bridge keeps one Notion sign-in alive for all MCP clients you have

Usage: notion-mcp-bridge [COMMAND] [OPTIONS]
  (none)   the MCP server on stdin and stdout; your MCP client starts it
  login    sign in through the browser
  logout   revoke the sign-in and forget it
  status   show the connections, who uses them, and where they are stored
  doctor   look for what is wrong, whose fault it is, and what to do
  refresh  keep the sign-in alive, for a scheduler; never opens a browser
  token    print a valid access token, for scripts
  config   print what the config of an MCP client has to hold: config CLIENT
  install  put it there: install claude-desktop, or cursor, or vscode

Options, in parentheses what holds without them:
${optionLines().join('\n')}
In the environment: NOTION_MCP_BRIDGE_PROFILE=work and so on; see the README.

Example, for a second workspace: npx -y notion-mcp-bridge login --profile work
`);
  return 0;
};

export const version: Command = async ({ print, version: current }) => {
  print(`${current}\n`);
  return 0;
};

/** Somebody typed the name of the server in a terminal: it would wait for an MCP client for ever. */
export const explain: Command = async ({ config, machine, print }) => {
  const { 'claude-desktop': client } = clients;
  const snippet = snippetFor(client, serverFor(client, config, machine), machine);
  print(
    forConnection(
      config,
      `notion-mcp-bridge is an MCP server: your MCP client starts it and talks to it.

1. Sign in once:
   npx -y notion-mcp-bridge login

2. Put this into the configuration of your client (Claude Desktop: claude_desktop_config.json):
${snippet}
   For Claude Desktop, Cursor and VS Code a command does it, for example:
   npx -y notion-mcp-bridge install claude-desktop

More: npx -y notion-mcp-bridge --help
`,
    ),
  );
  return 0;
};

function optionLines(): string[] {
  return Object.entries(optionTable).map(([name, option]) => {
    const left = `  --${name}${'value' in option ? ` ${option.value}` : ''}`;
    return `${left.padEnd(28)}${option.help}`;
  });
}
