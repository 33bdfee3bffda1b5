import { chmod, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readConfigFile, saveConfigFile } from '../src/clients/config-file.ts';
import { type ConfiguredHome, configuredHome } from './support/client-config.ts';
import { canMount, fillUp, makeReadOnly } from './support/mount.ts';
import { mountSmall } from './support/mount-in-test.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { folderInTest } from './support/store-in-test.ts';

// What install must not do: guess, overwrite, lose, or leave something half done.

/** The command refuses with this text, and the folder is as it was. */
async function expectRefusal(config: ConfiguredHome, message: RegExp, env = {}): Promise<string> {
  const before = await readFile(config.path);
  const { code, stderr } = await config.install([], env);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
  expect(await readFile(config.path)).toEqual(before);
  expect(await config.beside()).toEqual([]);
  return stderr;
}

describe('a configuration is refused, with the place, and stays as it is', () => {
  test.each([
    ['half of it is missing', '{\n  "mcpServers": {\n', /json line 3, column 1: close brace expected/],
    ['a comma is missing', '{\r\n  "a": 1\r\n  "b": 2\r\n}', /json line 3, column 3: comma expected/],
    ['there are two', '{}\n{}', /json line 2, column 1: end of file expected/],
    ['a text has no end', '{"a": "b\n}', /json line 1, column 7: unexpected end of string/],
    ['a comment has no end', '{"a": 1} /*', /json line 1, column 10: unexpected end of comment/],
    // Claude Desktop reads it with JSON.parse
    ['a comma is too much', '{\n  "a": 1,\n}', /json line 3, column 1: property name expected/],
    ['it is a list', ' []', /json line 1, column 2: the whole is not an object/],
    ['its servers are a list', '{"mcpServers": []}', /json line 1, column 16: "mcpServers" is not an object/],
    ['it is for a person', 'mcpServers: {}', /json line 1, column 1: invalid symbol/],
  ])('when %s', async (_what, before, message) => {
    const stderr = await expectRefusal(await configuredHome('claude-desktop', before), message);
    expect(stderr).toMatch(/\(CONFIG_INVALID\)\n {2}next: correct it there, then try again; nothing was changed\n$/);
  });

  test.each([
    [
      'another program',
      '{"mcpServers": {"notion": {"command": "npx", "args": ["-y", "mcp-remote", "https://mcp.notion.com/mcp"]}}}',
    ],
    ['a server on the web', '{"mcpServers": {"notion": {"url": "https://mcp.notion.com/mcp"}}}'],
    ['nothing', '{"mcpServers": {"notion": null}}'],
    ['a fork of ours', '{"mcpServers": {"notion": {"command": "notion-mcp-bridge-fork"}}}'],
  ])('when an entry of that name starts %s', async (_what, before) => {
    const stderr = await expectRefusal(
      await configuredHome('cursor', before),
      /json line 1, column 27: "notion" is there already, and starts something else/,
    );
    expect(stderr).toContain('next: remove or rename that entry, then try again; nothing was changed');
  });

  test('when it is not in UTF-8', async () => {
    const config = await configuredHome('cursor', Buffer.from('\uFEFF{}', 'utf16le'));
    await expectRefusal(config, /mcp\.json is not in UTF-8 \(CONFIG_INVALID\)\n {2}next: save it as UTF-8/);
  });

  test('when it is write-protected', async () => {
    const config = await configuredHome('cursor', '{}');
    await chmod(config.path, 0o444);
    await expectRefusal(config, /mcp\.json is write-protected \(CONFIG_INVALID\)/);
  });
});

test('what keeps Claude Desktop from reading its file is told', async () => {
  const config = await configuredHome('claude-desktop', '\uFEFF{\n  // mine\n}');
  const { code, stderr } = await config.install();
  expect(code).toBe(0);
  const reads = 'notion-mcp-bridge: Claude Desktop reads plain JSON:';
  expect(stderr).toBe(`${reads} the byte order mark may keep it from loading ${config.path}
${reads} the comment in line 2 may keep it from loading ${config.path}
`);
});

describe('the file', () => {
  test.each([0o600, 0o644, 0o666, 0o640])('keeps its mode %o', async (mode) => {
    const config = await configuredHome('cursor', '{}');
    await chmod(config.path, mode);
    await config.install();
    expect((await lstat(config.path)).mode & 0o777).toBe(mode);
  });

  test('stays a link where it is one, and the backup is beside the link', async () => {
    const config = await configuredHome('cursor');
    const dotfiles = join(config.home.path, 'dotfiles');
    await mkdir(dotfiles);
    await writeFile(join(dotfiles, 'mcp.json'), '{}');
    await symlink('../dotfiles/mcp.json', config.path);
    expect(await config.install()).toMatchObject({ code: 0 });
    expect(await readlink(config.path)).toBe('../dotfiles/mcp.json');
    expect(await readFile(join(dotfiles, 'mcp.json'), 'utf8')).toContain('notion-mcp-bridge');
    expect(await readdir(dotfiles)).toEqual(['mcp.json']);
    expect(await config.backup()).toMatchObject({ content: '{}' });
  });

  test('is not made in place of a link that leads nowhere', async () => {
    const config = await configuredHome('cursor');
    await symlink('/nowhere/mcp.json', config.path);
    const { code, stderr } = await config.install();
    expect(code).toBe(2);
    expect(stderr).toContain(`could not read ${config.path} (ENOENT) (CONFIG_INVALID)`);
    expect(await readlink(config.path)).toBe('/nowhere/mcp.json');
    expect(await config.beside()).toEqual([]);
  });

  test('is left to whoever changed it meanwhile', async () => {
    const path = join(await folderInTest(), 'mcp.json');
    await writeFile(path, '{}');
    const read = readConfigFile(path);
    await writeFile(path, '{"mine": 1}');
    const saving = saveConfigFile(read, '{"ours": 1}', 0);
    await expect(saving).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('just now'),
    });
    expect(await readFile(path, 'utf8')).toBe('{"mine": 1}');
    expect(await readdir(dirname(path))).toEqual(['mcp.json']);
  });

  test('is left to whoever made it meanwhile', async () => {
    const path = join(await folderInTest(), 'mcp.json');
    const read = readConfigFile(path);
    await writeFile(path, '');
    await expect(saveConfigFile(read, '{"ours": 1}', 0)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await readFile(path, 'utf8')).toBe('');
  });
});

describe.runIf(canMount())('a disk', () => {
  test('that refuses to be written keeps what it has', async () => {
    const config = await configuredHome('cursor', '{}');
    onTestFinished(makeReadOnly(dirname(config.path)));
    await expectRefusal(config, /could not write .*mcp\.json \(EROFS\) \(CONFIG_INVALID\)/);
  });

  test.each([0, 4_096, 8_192])('with %i bytes left keeps what it has, and no half of a backup', async (free) => {
    const config = await configuredHome('cursor');
    mountSmall(dirname(config.path), '64k');
    const before = `{${' '.repeat(5_000)}}`;
    await writeFile(config.path, before);
    const filler = join(dirname(config.path), 'filler');
    await fillUp(filler, free);
    const { code, stderr } = await config.install();
    expect(stderr).toMatch(/could not write .*mcp\.json \(ENOSPC\) \(CONFIG_INVALID\)/);
    expect(code).toBe(2);
    expect(await config.content()).toBe(before);
    expect(await config.beside()).toEqual(['filler']);
  });
});

describe('between two places', () => {
  const both = async () => {
    const config = await configuredHome('claude-desktop', '{}');
    const elsewhere = join(config.home.path, 'xdg');
    const other = join(elsewhere, 'Claude/claude_desktop_config.json');
    await mkdir(dirname(other), { recursive: true });
    await writeFile(other, '{}');
    return { config, other, env: { XDG_CONFIG_HOME: elsewhere } };
  };

  test('install does not guess, and names both and the way to choose', async () => {
    const { config, other, env } = await both();
    const stderr = await expectRefusal(config, /found more than one config of Claude Desktop/, env);
    expect(stderr).toContain(`${other} and ${config.path} (CONFIG_INVALID)\n`);
    expect(stderr).toContain('next: set NOTION_MCP_BRIDGE_INSTALL_INTO to the one that Claude Desktop reads');
    expect(await readFile(other, 'utf8')).toBe('{}');
  });

  test('the person chooses', async () => {
    const { config, other, env } = await both();
    const chosen = await config.install([], { ...env, NOTION_MCP_BRIDGE_INSTALL_INTO: config.path });
    expect(chosen).toMatchObject({ code: 0 });
    expect(await config.content()).toContain('notion-mcp-bridge');
    expect(await readFile(other, 'utf8')).toBe('{}');
  });
});

describe('install', () => {
  test.each([
    ['claude-desktop', 'Claude Desktop', '.config/Claude/claude_desktop_config.json'],
    ['vscode', 'VS Code', '.config/Code/User/mcp.json'],
  ])('does not make up where %s is', async (client, title, path) => {
    const home = await homeInTest();
    const { code, stderr } = await runCommand(home, ['install', client]).ended;
    expect(code).toBe(2);
    expect(
      stderr,
    ).toBe(`notion-mcp-bridge: could not find ${title}: no folder for ${join(home.path, path)} (CONFIG_INVALID)
  next: start ${title} once and try again, or set NOTION_MCP_BRIDGE_INSTALL_INTO to the path of its config file
`);
  });

  test.each([
    [[], 'install needs a client; known are claude-desktop, cursor, vscode', 'install claude-desktop`, for example'],
    [
      ['emacs'],
      "unknown client 'emacs'; known are claude-desktop, cursor, vscode",
      'install claude-desktop`, for example',
    ],
    [['codex'], 'install cannot set up Codex; it can do claude-desktop, cursor, vscode', 'config codex`, which prints'],
  ])('with %j says which clients it knows', async (args, message, hint) => {
    const { code, stdout, stderr } = await runCommand(await homeInTest(), ['install', ...args]).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`notion-mcp-bridge: ${message} (CONFIG_INVALID)\n`);
    expect(stderr).toContain(hint);
  });
});
