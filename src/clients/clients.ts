import { BridgeError } from '../errors.ts';
import { type Disk, inAppData, inHome, inNamed, inPackages, type Machine } from './places.ts';

interface ClientDescription {
  title: string;
  /** What has to be done for the client to notice. */
  restart: string;
  /** It hands its own environment on to the servers that it starts; the others hand on a short list (clients.md). */
  keepsEnvironment?: true;
}

/** A client that reads its servers from a file. */
interface FileClient extends ClientDescription {
  /** Every file that it may read; the app itself reads one. */
  files(machine: Machine, disk: Disk): string[];
  /** How a person gets to see the file. */
  opens?: string;
}

export interface JsonClient extends FileClient {
  form: 'json';
  /** The member that holds the servers. */
  section: 'mcpServers' | 'servers' | 'context_servers';
  /** Each entry says that it is a stdio server. */
  typed?: true;
  /** It takes JSON and nothing else: neither comments nor a byte order mark. */
  strict?: true;
  /** `install` may edit the file; with `own-folder` also create the folder, which belongs to this client alone. */
  install?: 'where-installed' | 'own-folder';
}

export interface TomlClient extends FileClient {
  form: 'toml';
}

/** A client that has a command for it. */
export interface CommandClient extends ClientDescription {
  form: 'command';
}

export type Client = JsonClient | TomlClient | CommandClient;

export const clientNames = [
  'claude-desktop',
  'claude-code',
  'cursor',
  'vscode',
  'windsurf',
  'codex',
  'gemini-cli',
  'zed',
] as const;
export type ClientName = (typeof clientNames)[number];

/** Where each client keeps its servers, and how it writes them. */
export const clients: Readonly<Record<ClientName, Client>> = {
  'claude-desktop': {
    title: 'Claude Desktop',
    form: 'json',
    section: 'mcpServers',
    strict: true,
    install: 'where-installed',
    files: (machine, disk) => {
      const path = ['Claude', 'claude_desktop_config.json'];
      return [...inPackages(machine, /^Claude_/, disk, ...path), ...inAppData(machine, ...path)];
    },
    opens: 'Settings → Developer → Edit Config opens it',
    // While it runs it may write its own copy over the file (anthropics/claude-code issues 34359 and 78226).
    restart: 'quit Claude Desktop completely, from the menu bar or the tray too, and start it again',
  },
  'claude-code': {
    title: 'Claude Code',
    form: 'command',
    keepsEnvironment: true,
    restart: 'start a new session of Claude Code; /mcp shows the server',
  },
  cursor: {
    title: 'Cursor',
    form: 'json',
    section: 'mcpServers',
    install: 'own-folder',
    files: (machine) => [inHome(machine, '.cursor', 'mcp.json')],
    restart: 'restart Cursor',
  },
  vscode: {
    title: 'VS Code',
    form: 'json',
    section: 'servers',
    typed: true,
    install: 'where-installed',
    files: (machine) => inAppData(machine, 'Code', 'User', 'mcp.json'),
    opens: '"MCP: Open User Configuration" opens it',
    restart: 'start the server with "MCP: List Servers" in VS Code, or reload the window',
  },
  windsurf: {
    title: 'Windsurf',
    form: 'json',
    section: 'mcpServers',
    files: (machine) => [inHome(machine, '.codeium', 'windsurf', 'mcp_config.json')],
    restart: 'restart Windsurf',
  },
  codex: {
    title: 'Codex',
    form: 'toml',
    files: (machine) => [inNamed(machine, 'CODEX_HOME', '.codex', 'config.toml')],
    restart: 'start a new session of Codex',
  },
  'gemini-cli': {
    title: 'Gemini CLI',
    form: 'json',
    section: 'mcpServers',
    keepsEnvironment: true,
    files: (machine) => [inHome(machine, '.gemini', 'settings.json')],
    restart: 'start a new session of Gemini CLI; /mcp shows the server',
  },
  zed: {
    title: 'Zed',
    form: 'json',
    section: 'context_servers',
    files: (machine) =>
      machine.platform === 'darwin'
        ? [inHome(machine, '.config', 'zed', 'settings.json')]
        : inAppData(machine, machine.platform === 'win32' ? 'Zed' : 'zed', 'settings.json'),
    restart: 'restart Zed',
  },
};

/** @throws BridgeError CONFIG_INVALID, naming the clients, unless one of them is meant. */
export function requireClient(command: string, given: string | undefined, among: readonly ClientName[]): ClientName {
  const name = clientNames.find((known) => known === given);
  if (name && among.includes(name)) return name;
  const known = among.join(', ');
  if (name)
    throw new BridgeError('CONFIG_INVALID', `${command} cannot set up ${clients[name].title}; it can do ${known}`, {
      hint: `run \`npx -y notion-mcp-bridge config ${name}\`, which prints what to do`,
    });
  const message = given === undefined ? `${command} needs a client` : `unknown client '${given}'`;
  throw new BridgeError('CONFIG_INVALID', `${message}; known are ${known}`, {
    hint: `run \`npx -y notion-mcp-bridge ${command} ${among[0]}\`, for example`,
  });
}
