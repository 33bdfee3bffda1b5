import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../config.ts';

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
export function findClientConfigs(platform: string, environment: Environment, home: string): ClientConfig[] {
  return knownPlaces(platform, environment, home).flatMap(({ client, path }) => {
    const text = textOf(path);
    return text === undefined ? [] : [{ client, path, mentionsUs: text.includes(ours) }];
  });
}

/** Where each client looks (clients.md). */
function knownPlaces(platform: string, environment: Environment, home: string): { client: string; path: string }[] {
  const roaming = environment.APPDATA ?? join(home, 'AppData', 'Roaming');
  const local = environment.LOCALAPPDATA ?? join(home, 'AppData', 'Local');
  const config = join(home, '.config');
  const apps = { darwin: join(home, 'Library', 'Application Support'), win32: roaming }[platform] ?? config;
  const claude = [join(apps, 'Claude'), ...(platform === 'win32' ? packagedClaudes(local) : [])];
  return [
    ...claude.map((folder) => ({ client: 'Claude Desktop', path: join(folder, 'claude_desktop_config.json') })),
    { client: 'Claude Code', path: join(home, '.claude.json') },
    { client: 'Cursor', path: join(home, '.cursor', 'mcp.json') },
    { client: 'VS Code', path: join(apps, 'Code', 'User', 'mcp.json') },
    { client: 'Windsurf', path: join(home, '.codeium', 'windsurf', 'mcp_config.json') },
    { client: 'Codex', path: join(home, '.codex', 'config.toml') },
    { client: 'Gemini CLI', path: join(home, '.gemini', 'settings.json') },
    {
      client: 'Zed',
      path: platform === 'win32' ? join(roaming, 'Zed', 'settings.json') : join(config, 'zed', 'settings.json'),
    },
  ];
}

/** The MSIX build of Claude Desktop sees a Roaming folder of its own. */
function packagedClaudes(local: string): string[] {
  const packages = join(local, 'Packages');
  try {
    const names = readdirSync(packages).filter((name) => name.startsWith('Claude_'));
    return names.map((name) => join(packages, name, 'LocalCache', 'Roaming', 'Claude'));
  } catch {
    return [];
  }
}

function textOf(path: string): string | undefined {
  try {
    return statSync(path).size > longestConfig ? '' : readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
