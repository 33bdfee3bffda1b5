import { optionTable } from '../options.ts';
import type { Command } from './command.ts';

const snippet = JSON.stringify(
  { mcpServers: { notion: { command: 'npx', args: ['-y', 'notion-mcp-bridge'] } } },
  undefined,
  2,
);

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
export const explain: Command = async ({ print }) => {
  print(`notion-mcp-bridge is an MCP server: your MCP client starts it and talks to it.

1. Sign in once:
   npx -y notion-mcp-bridge login

2. Put this into the configuration of your client (Claude Desktop: claude_desktop_config.json):
${snippet}

More: npx -y notion-mcp-bridge --help
`);
  return 0;
};

function optionLines(): string[] {
  return Object.entries(optionTable).map(([name, option]) => {
    const left = `  --${name}${'value' in option ? ` ${option.value}` : ''}`;
    return `${left.padEnd(28)}${option.help}`;
  });
}
