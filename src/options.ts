import { logLevels } from './log.ts';

export const commandNames = [
  'serve',
  'login',
  'logout',
  'status',
  'doctor',
  'refresh',
  'token',
  'config',
  'install',
  'help',
  'version',
] as const;
export type CommandName = (typeof commandNames)[number];

export interface OptionDescription {
  /** What stands for the value in the help; absent for switches. */
  value?: string;
  /** May be given more than once, and hold several with commas between. */
  several?: true;
  /** Names no TOKEN, KEY, SECRET or AUTH: Gemini CLI strips those (product.md 10). */
  environment?: string;
  help: string;
}

export const optionTable = {
  url: {
    value: 'URL',
    environment: 'NOTION_MCP_BRIDGE_URL',
    help: 'the remote MCP server (https://mcp.notion.com/mcp)',
  },
  profile: {
    value: 'NAME',
    environment: 'NOTION_MCP_BRIDGE_PROFILE',
    help: 'a connection of its own, for a second workspace',
  },
  'config-dir': {
    value: 'DIR',
    environment: 'NOTION_MCP_BRIDGE_CONFIG_DIR',
    help: 'where records are kept (~/.notion-mcp-bridge)',
  },
  'callback-port': {
    value: 'PORT',
    environment: 'NOTION_MCP_BRIDGE_CALLBACK_PORT',
    help: 'the local port of the sign-in (a free one)',
  },
  'no-browser': {
    environment: 'NOTION_MCP_BRIDGE_NO_BROWSER',
    help: 'never open a browser; show the link instead',
  },
  reauth: {
    environment: 'NOTION_MCP_BRIDGE_SIGN_IN_AGAIN',
    help: 'sign in again, although connected',
  },
  protocol: {
    value: 'REVISION',
    environment: 'NOTION_MCP_BRIDGE_PROTOCOL',
    help: 'the MCP revision that the server speaks (learnt)',
  },
  'client-id': {
    value: 'ID',
    environment: 'NOTION_MCP_BRIDGE_CLIENT_ID',
    help: 'use a client that was registered by hand',
  },
  'client-secret-file': {
    value: 'FILE',
    environment: 'NOTION_MCP_BRIDGE_CLIENT_CREDENTIAL_FILE',
    help: 'the secret of that client',
  },
  'client-metadata-url': {
    value: 'URL',
    environment: 'NOTION_MCP_BRIDGE_CLIENT_METADATA_URL',
    help: 'use this Client ID Metadata Document',
  },
  'read-only': {
    environment: 'NOTION_MCP_BRIDGE_READ_ONLY',
    help: 'show and call only tools that read',
  },
  'hide-tool': {
    value: 'GLOB',
    several: true,
    environment: 'NOTION_MCP_BRIDGE_HIDE_TOOL',
    help: 'hide tools by name, such as notion-create-*',
  },
  'log-level': {
    value: 'LEVEL',
    environment: 'NOTION_MCP_BRIDGE_LOG_LEVEL',
    help: `for stderr: ${logLevels.join(', ')} (info)`,
  },
  force: { help: 'login, refresh: although there is no need' },
  header: { help: 'token: print it as an Authorization header' },
  json: { help: 'all but login and logout: print JSON' },
  version: { help: 'print the version' },
  help: { help: 'print this help' },
} as const satisfies Record<string, OptionDescription>;

export type OptionName = keyof typeof optionTable;
