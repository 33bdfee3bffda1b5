import { describe, expect, test } from 'vitest';
import { type ClientName, clients } from '../src/clients/clients.ts';
import { type Disk, type Machine, placeAmong } from '../src/clients/places.ts';

// Where the clients keep their configuration on systems that this is not run on: pure functions of platform, home and
// environment, and of what is on the disk.

const windows: Machine = {
  platform: 'win32',
  home: 'C:\\Users\\Ada Lovelace',
  environment: {
    APPDATA: 'C:\\Users\\Ada Lovelace\\AppData\\Roaming',
    LOCALAPPDATA: 'C:\\Users\\Ada Lovelace\\AppData\\Local',
  },
};
const mac: Machine = { platform: 'darwin', home: '/Users/ada', environment: { XDG_CONFIG_HOME: '/Users/ada/xdg' } };
const linux: Machine = { platform: 'linux', home: '/home/ada', environment: {} };

/** A disk that holds these files and their folders. */
function diskWith(...files: string[]): Disk {
  const paths = new Set(
    files.flatMap((file) => [...file.matchAll(/[\\/]|$/g)].map(({ index }) => file.slice(0, index))),
  );
  const isBelow = (folder: string) => (path: string) => /^[\\/][^\\/]+$/.test(path.slice(folder.length));
  return {
    has: (path) => paths.has(path),
    list: (folder) =>
      [...paths]
        .filter((path) => path.startsWith(folder))
        .filter(isBelow(folder))
        .map((path) => path.slice(folder.length + 1)),
  };
}

function filesOf(name: ClientName, machine: Machine, disk = diskWith()): string[] {
  const client = clients[name];
  return client.form === 'command' ? [] : client.files(machine, disk);
}

const placeOf = (name: ClientName, machine: Machine, disk: Disk, mayCreateFolder = false) =>
  placeAmong(filesOf(name, machine, disk), mayCreateFolder, machine, disk);

describe('the files of the clients', () => {
  test('on Linux', () => {
    expect(filesOf('claude-desktop', linux)).toEqual(['/home/ada/.config/Claude/claude_desktop_config.json']);
    expect(filesOf('cursor', linux)).toEqual(['/home/ada/.cursor/mcp.json']);
    expect(filesOf('vscode', linux)).toEqual(['/home/ada/.config/Code/User/mcp.json']);
    expect(filesOf('windsurf', linux)).toEqual(['/home/ada/.codeium/windsurf/mcp_config.json']);
    expect(filesOf('codex', linux)).toEqual(['/home/ada/.codex/config.toml']);
    expect(filesOf('gemini-cli', linux)).toEqual(['/home/ada/.gemini/settings.json']);
    expect(filesOf('zed', linux)).toEqual(['/home/ada/.config/zed/settings.json']);
  });

  test('on macOS, whatever XDG_CONFIG_HOME says', () => {
    const support = '/Users/ada/Library/Application Support';
    expect(filesOf('claude-desktop', mac)).toEqual([`${support}/Claude/claude_desktop_config.json`]);
    expect(filesOf('vscode', mac)).toEqual([`${support}/Code/User/mcp.json`]);
    expect(filesOf('zed', mac)).toEqual(['/Users/ada/.config/zed/settings.json']);
    expect(filesOf('cursor', mac)).toEqual(['/Users/ada/.cursor/mcp.json']);
  });

  test('on Windows', () => {
    const roaming = 'C:\\Users\\Ada Lovelace\\AppData\\Roaming';
    expect(filesOf('claude-desktop', windows)).toEqual([`${roaming}\\Claude\\claude_desktop_config.json`]);
    expect(filesOf('vscode', windows)).toEqual([`${roaming}\\Code\\User\\mcp.json`]);
    expect(filesOf('zed', windows)).toEqual([`${roaming}\\Zed\\settings.json`]);
    expect(filesOf('codex', windows)).toEqual(['C:\\Users\\Ada Lovelace\\.codex\\config.toml']);
    expect(filesOf('vscode', { ...windows, environment: {} })).toEqual([`${roaming}\\Code\\User\\mcp.json`]);
  });

  test('follow what moves them', () => {
    expect(filesOf('codex', { ...linux, environment: { CODEX_HOME: '/opt/codex' } })).toEqual([
      '/opt/codex/config.toml',
    ]);
    // an app need not have the XDG_CONFIG_HOME of the terminal
    expect(filesOf('vscode', { ...linux, environment: { XDG_CONFIG_HOME: '/xdg' } })).toEqual([
      '/xdg/Code/User/mcp.json',
      '/home/ada/.config/Code/User/mcp.json',
    ]);
    expect(filesOf('vscode', { ...linux, environment: { XDG_CONFIG_HOME: '/home/ada/.config' } })).toHaveLength(1);
    // relative ones do not count (XDG Base Directory specification)
    expect(filesOf('vscode', { ...linux, environment: { XDG_CONFIG_HOME: 'xdg' } })).toHaveLength(1);
  });
});

describe('Claude Desktop on Windows', () => {
  const plain = 'C:\\Users\\Ada Lovelace\\AppData\\Roaming\\Claude\\claude_desktop_config.json';
  const packages = 'C:\\Users\\Ada Lovelace\\AppData\\Local\\Packages';
  const inPackage = (name: string) => `${packages}\\${name}\\LocalCache\\Roaming\\Claude\\claude_desktop_config.json`;
  const packaged = inPackage('Claude_pzs8sxrjxfjjc');

  test('from an MSIX package keeps its file in that package', () => {
    const disk = diskWith(packaged, inPackage('Microsoft.WindowsTerminal_8wekyb3d8bbwe'));
    expect(filesOf('claude-desktop', windows, disk)).toEqual([packaged, plain]);
    expect(placeOf('claude-desktop', windows, disk)).toEqual({ kind: 'known', path: packaged });
  });

  test('keeps it in the one folder that exists while there is no file', () => {
    const disk = diskWith(packaged.replace('claude_desktop_config.json', 'main.log'));
    expect(placeOf('claude-desktop', windows, disk)).toEqual({ kind: 'known', path: packaged });
  });

  test('is not guessed between two files, two packages or two folders', () => {
    expect(placeOf('claude-desktop', windows, diskWith(plain, packaged))).toEqual({
      kind: 'several',
      paths: [packaged, plain],
    });
    const other = inPackage('Claude_0123456789abc');
    expect(placeOf('claude-desktop', windows, diskWith(packaged, other))).toMatchObject({ kind: 'several' });
    const folders = [plain, packaged].map((path) => path.replace('claude_desktop_config.json', 'main.log'));
    expect(placeOf('claude-desktop', windows, diskWith(...folders))).toMatchObject({ kind: 'several' });
  });

  test('has the file that exists when the other place is an empty folder', () => {
    const disk = diskWith(plain, packaged.replace('claude_desktop_config.json', 'main.log'));
    expect(placeOf('claude-desktop', windows, disk)).toEqual({ kind: 'known', path: plain });
  });

  test('is not made up where nothing shows that it was ever started', () => {
    const disk = diskWith('C:\\Users\\Ada Lovelace\\AppData\\Roaming\\npm\\npx.cmd');
    expect(placeOf('claude-desktop', windows, disk)).toEqual({ kind: 'none', paths: [plain] });
  });
});

test('a folder that only this client has may be created', () => {
  expect(placeOf('cursor', linux, diskWith(), true)).toEqual({ kind: 'known', path: '/home/ada/.cursor/mcp.json' });
});

test('the person has the last word', () => {
  const path = '/home/ada/portable/mcp.json';
  const machine = { ...linux, environment: { NOTION_MCP_BRIDGE_INSTALL_INTO: path } };
  expect(placeOf('vscode', machine, diskWith())).toEqual({ kind: 'known', path });
});
