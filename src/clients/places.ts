import { posix, resolve, win32 } from 'node:path';
import type { Environment } from '../config.ts';

/** What decides where a client keeps its configuration. */
export interface Machine {
  platform: NodeJS.Platform;
  home: string;
  environment: Environment;
}

export interface Disk {
  has(path: string): boolean;
  /** The names in a folder; none when there is no such folder. */
  list(folder: string): readonly string[];
}

/** Below the home folder, in the manner of the platform. */
export function inHome({ platform, home }: Machine, ...names: string[]): string {
  return pathsOf(platform).join(home, ...names);
}

/** Below the folder that a variable names, such as `CODEX_HOME`, or else below one in the home folder. */
export function inNamed(machine: Machine, variable: string, otherwise: string, ...names: string[]): string {
  const given = machine.environment[variable];
  return given ? pathsOf(machine.platform).join(given, ...names) : inHome(machine, otherwise, ...names);
}

/**
 * Below the folder where desktop apps keep their settings. On Linux that is up to the environment of the app, which may
 * not be the one of the terminal: both places count.
 */
export function inAppData(machine: Machine, ...names: string[]): string[] {
  const { platform, environment } = machine;
  if (platform === 'darwin') return [inHome(machine, 'Library', 'Application Support', ...names)];
  if (platform === 'win32') return [win32.join(environment.APPDATA || inHome(machine, 'AppData', 'Roaming'), ...names)];
  const folders = [environment.XDG_CONFIG_HOME ?? '', inHome(machine, '.config')].filter(posix.isAbsolute);
  return [...new Set(folders.map((folder) => posix.join(folder, ...names)))];
}

/** What an app that came as an MSIX package sees below its `%APPDATA%` (clients.md). */
export function inPackages(machine: Machine, packages: RegExp, disk: Disk, ...names: string[]): string[] {
  if (machine.platform !== 'win32') return [];
  const local = machine.environment.LOCALAPPDATA || inHome(machine, 'AppData', 'Local');
  const folder = win32.join(local, 'Packages');
  const found = disk.list(folder).filter((name) => packages.test(name));
  return found.map((name) => win32.join(folder, name, 'LocalCache', 'Roaming', ...names));
}

/** Names the file where the places that are known leave a choice, or where it is in none of them. */
export const chosenFile = 'NOTION_MCP_BRIDGE_INSTALL_INTO';

export type Place =
  | { kind: 'known'; path: string }
  /** More than one is there, or none. */
  | { kind: 'several' | 'none'; paths: readonly string[] };

/** The file that exists; else the one whose folder does, which shows that the client was started once. Never a guess. */
export function placeAmong(paths: readonly string[], mayCreateFolder: boolean, machine: Machine, disk: Disk): Place {
  const chosen = machine.environment[chosenFile]?.trim();
  if (chosen) return { kind: 'known', path: resolve(chosen) };
  const { dirname } = pathsOf(machine.platform);
  const files = paths.filter(disk.has);
  const candidates = files.length > 0 ? files : paths.filter((path) => disk.has(dirname(path)));
  const [path] = candidates.length === 0 && mayCreateFolder ? paths : candidates;
  if (candidates.length > 1) return { kind: 'several', paths: candidates };
  return path === undefined ? { kind: 'none', paths } : { kind: 'known', path };
}

function pathsOf(platform: NodeJS.Platform): typeof posix {
  return platform === 'win32' ? win32 : posix;
}
