import { lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { runCommand } from './run-command.ts';
import { type Ended, type Home, homeInTest } from './spawn-bridge.ts';

/** A person's home with the configuration of a client in it, and the command that changes it. */
export interface ConfiguredHome {
  home: Home;
  path: string;
  content(): Promise<string>;
  /** What stands in the folder beside the file. */
  beside(): Promise<string[]>;
  /** The backup, and what it holds; there has to be one. */
  backup(): Promise<{ path: string; content: string; mode: number }>;
  install(args?: string[], env?: Record<string, string>): Promise<Ended>;
}

export const placesOnLinux = {
  'claude-desktop': '.config/Claude/claude_desktop_config.json',
  cursor: '.cursor/mcp.json',
  vscode: '.config/Code/User/mcp.json',
} as const;

export type InstallableClient = keyof typeof placesOnLinux;

/** `before`: what the file holds; without it there is only its folder. */
export async function configuredHome(client: InstallableClient, before?: string | Buffer): Promise<ConfiguredHome> {
  const home = await homeInTest();
  const path = join(home.path, placesOnLinux[client]);
  await mkdir(dirname(path), { recursive: true });
  if (before !== undefined) await writeFile(path, before);
  const beside = async () => (await readdir(dirname(path))).filter((name) => name !== basename(path));
  return {
    home,
    path,
    content: () => readFile(path, 'utf8'),
    beside,
    backup: async () => {
      const [name, ...others] = await beside();
      if (name === undefined || others.length > 0) throw new Error(`not one backup: ${[name, ...others]}`);
      const backup = join(dirname(path), name);
      return { path: backup, content: await readFile(backup, 'utf8'), mode: (await lstat(backup)).mode & 0o777 };
    },
    install: (args = [], env = {}) => runCommand(home, ['install', client, ...args], env).ended,
  };
}
