import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type ClientName, clientNames, clients } from '../src/clients/clients.ts';
import { oneClickLink } from '../src/clients/one-click.ts';
import type { Machine } from '../src/clients/places.ts';
import { serverFor } from '../src/clients/server.ts';
import { snippetFor } from '../src/clients/snippet.ts';
import type { CommandContext } from '../src/commands/command.ts';
import { explain } from '../src/commands/help.ts';
import { type Environment, readConfig } from '../src/config.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest } from './support/spawn-bridge.ts';

const run = promisify(execFile);

const inJson = (section: string, entry: object, name = 'notion') => ({ [section]: { [name]: entry } });
const npx = { command: 'npx', args: ['-y', 'notion-mcp-bridge'] };

describe('config prints what to copy, and nothing else on stdout, for', () => {
  test.each([
    ['claude-desktop', inJson('mcpServers', npx), '.config/Claude/claude_desktop_config.json', 'quit Claude Desktop'],
    ['cursor', inJson('mcpServers', npx), '.cursor/mcp.json', 'restart Cursor'],
    ['vscode', inJson('servers', { type: 'stdio', ...npx }), '.config/Code/User/mcp.json', 'MCP: List Servers'],
    ['windsurf', inJson('mcpServers', npx), '.codeium/windsurf/mcp_config.json', 'restart Windsurf'],
    ['gemini-cli', inJson('mcpServers', npx), '.gemini/settings.json', 'start a new session'],
    ['zed', inJson('context_servers', npx), '.config/zed/settings.json', 'restart Zed'],
  ])('%s', async (client, expected, path, restart) => {
    const home = await homeInTest();
    const before = await readdir(home.path);
    const { code, stdout, stderr } = await runCommand(home, ['config', client]).ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(expected);
    expect(stdout).toContain('"args": ["-y", "notion-mcp-bridge"]\n');
    expect(stderr).toContain(`notion-mcp-bridge: merge this into ${join(home.path, path)}`);
    expect(stderr).toMatch(new RegExp(`^notion-mcp-bridge: then .*${restart}`, 'm'));
    // it only prints
    expect(await readdir(home.path)).toEqual(before);
  });

  test('codex, in TOML', async () => {
    const home = await homeInTest();
    const env = { HTTPS_PROXY: 'http://proxy.example:3128' };
    const { stdout, stderr } = await runCommand(home, ['config', 'codex', '--client-id', 'a "b" \\c'], env).ended;
    expect(stdout).toBe(`[mcp_servers.notion]
command = "npx"
args = ["-y", "notion-mcp-bridge", "--client-id", "a \\"b\\" \\\\c"]

[mcp_servers.notion.env]
HTTPS_PROXY = "http://proxy.example:3128"
`);
    expect(stderr).toContain(`notion-mcp-bridge: add this to ${join(home.path, '.codex/config.toml')}\n`);
    expect(await runCommand(home, ['config', 'codex']).ended).toMatchObject({
      stdout: '[mcp_servers.notion]\ncommand = "npx"\nargs = ["-y", "notion-mcp-bridge"]\n',
    });
  });
});

describe('config claude-code', () => {
  test('prints the command', async () => {
    const { stdout, stderr } = await runCommand(await homeInTest(), ['config', 'claude-code']).ended;
    expect(stdout).toBe('claude mcp add --scope user notion -- npx -y notion-mcp-bridge\n');
    expect(stderr).toContain('notion-mcp-bridge: run this in a terminal\n');
  });

  test('prints one that a shell takes for what it means', async () => {
    const home = await homeInTest();
    const bin = join(home.path, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'claude'), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
    await chmod(join(bin, 'claude'), 0o755);
    const options = ['--url', 'https://a.example/mcp?a=1&b=$HOME', '--config-dir', "/ada's own", '--profile', 'work'];
    const { stdout } = await runCommand(home, ['config', 'claude-code', ...options]).ended;
    const shell = await run('/bin/sh', ['-c', stdout], { env: { PATH: `${bin}:${process.env.PATH}` } });
    expect(shell.stdout.trimEnd().split('\n')).toEqual([
      ...['mcp', 'add', '--scope', 'user', 'a-example-work', '--', 'npx', '-y', 'notion-mcp-bridge'],
      ...['--url', 'https://a.example/mcp?a=1&b=$HOME', '--profile', 'work', '--config-dir', "/ada's own"],
    ]);
  });
});

describe('config --json', () => {
  test('tells a program the path, the snippet and the server', async () => {
    const home = await homeInTest();
    const { code, stdout, stderr } = await runCommand(home, ['config', 'cursor', '--json', '--profile', 'work']).ended;
    const server = { command: 'npx', args: ['-y', 'notion-mcp-bridge', '--profile', 'work'], env: {} };
    const told = JSON.parse(stdout);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(told).toEqual({
      client: 'cursor',
      name: 'notion-work',
      path: join(home.path, '.cursor/mcp.json'),
      snippet: expect.any(String),
      server,
      withheld: [],
      link: expect.stringMatching(/^cursor:/),
      restart: 'restart Cursor',
    });
    const { env: _, ...entry } = server;
    expect(JSON.parse(told.snippet)).toEqual(inJson('mcpServers', entry, 'notion-work'));
  });

  test('has a command for Claude Code, and every place that is possible', async () => {
    const home = await homeInTest();
    const code = await runCommand(home, ['config', 'claude-code', '--json']).ended;
    expect(JSON.parse(code.stdout)).toMatchObject({ command: expect.stringMatching(/^claude mcp add .*bridge$/) });
    const desktop = await runCommand(home, ['config', 'claude-desktop', '--json'], { XDG_CONFIG_HOME: '/xdg' }).ended;
    expect(JSON.parse(desktop.stdout)).toMatchObject({
      paths: ['/xdg/Claude/claude_desktop_config.json', join(home.path, '.config/Claude/claude_desktop_config.json')],
    });
  });
});

test.each([
  [['config'], 'config needs a client'],
  [['config', 'emacs'], "unknown client 'emacs'"],
])('%j lists the clients', async (args, message) => {
  const home = await homeInTest();
  const { code, stdout, stderr } = await runCommand(home, args).ended;
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(
    `notion-mcp-bridge: ${message}; known are ${clientNames.join(', ')} (CONFIG_INVALID)\n  next: `,
  );
  const program = await runCommand(home, [...args, '--json']).ended;
  expect(JSON.parse(program.stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
});

test('a terminal that keeps the environment of its own servers is given none', async () => {
  const env = { HTTPS_PROXY: 'http://proxy.example:3128' };
  const { stdout } = await runCommand(await homeInTest(), ['config', 'claude-code'], env).ended;
  expect(stdout).not.toContain('proxy');
});

test('a terminal that starts the server is told all this for its connection', async () => {
  const printed: string[] = [];
  const machine: Machine = { platform: 'linux', home: '/home/ada', environment: {} };
  const config = readConfig(['--profile', 'work'], {});
  await explain({ config, machine, print: (text: string) => void printed.push(text) } as unknown as CommandContext);
  const text = printed.join('');
  expect(text).toContain('"args": ["-y", "notion-mcp-bridge", "--profile", "work"]');
  expect(text).toContain('npx -y notion-mcp-bridge login --profile work\n');
  expect(text).toContain('npx -y notion-mcp-bridge install claude-desktop --profile work\n');
});

describe('on Windows', () => {
  const machine: Machine = { platform: 'win32', home: 'C:\\Users\\Ada', environment: {} };
  const snippet = (name: ClientName, args: string[] = [], environment: Environment = {}) => {
    const windows = { ...machine, environment };
    return snippetFor(
      clients[name],
      serverFor(clients[name], readConfig(['config', name, ...args], {}), windows),
      windows,
    );
  };

  test('npx is started by cmd, which needs no quotes', () => {
    expect(JSON.parse(snippet('cursor', ['--profile', 'work']))).toEqual(
      inJson(
        'mcpServers',
        { command: 'cmd', args: ['/c', 'npx', '-y', 'notion-mcp-bridge', '--profile', 'work'] },
        'notion-work',
      ),
    );
    expect(snippet('claude-code')).toBe('claude mcp add --scope user notion -- cmd /c npx -y notion-mcp-bridge\n');
  });

  test.each(['https://a.example/mcp?a=1&b=2', 'https://a.example/mcp?a=%20'])('%s goes past cmd', (url) => {
    const { 'a-example': entry } = JSON.parse(snippet('cursor', ['--url', url])).mcpServers;
    expect(entry).toEqual({
      command: 'cmd',
      args: ['/c', 'npx', '-y', 'notion-mcp-bridge'],
      env: { NOTION_MCP_BRIDGE_URL: url },
    });
    expect(readConfig([], entry.env).upstreamUrl.href).toBe(url);
    expect(snippet('claude-code', ['--url', url])).toBe(
      `claude mcp add --scope user a-example --env "NOTION_MCP_BRIDGE_URL=${url}" -- cmd /c npx -y notion-mcp-bridge\n`,
    );
  });

  test('all of an option that is given more than once goes past cmd', () => {
    const args = ['--read-only', '--hide-tool', 'notion-*', '--hide-tool', 'a?', '--hide-tool', 'b?'];
    const { notion: entry } = JSON.parse(snippet('cursor', args)).mcpServers;
    expect(entry).toMatchObject({
      args: ['/c', 'npx', '-y', 'notion-mcp-bridge', '--read-only', '--hide-tool', 'notion-*'],
      env: { NOTION_MCP_BRIDGE_HIDE_TOOL: 'a?,b?' },
    });
    const { hideTools } = readConfig(entry.args.slice(4), entry.env);
    expect(hideTools.toSorted()).toEqual(['a?', 'b?', 'notion-*']);
  });
});

test('the entry hides the tools that are to be hidden', () => {
  const config = readConfig(['config', 'claude-code', '--read-only', '--hide-tool', 'a*,b'], {});
  const machine: Machine = { platform: 'linux', home: '/home/ada', environment: {} };
  const { 'claude-code': client } = clients;
  expect(snippetFor(client, serverFor(client, config, machine), machine)).toBe(
    "claude mcp add --scope user notion -- npx -y notion-mcp-bridge --read-only --hide-tool 'a*' --hide-tool b\n",
  );
});

test('the links hold the very server', () => {
  const machine: Machine = { platform: 'linux', home: '/home/ada', environment: { NO_PROXY: '>>>???' } };
  const server = serverFor(clients.cursor, readConfig(['config', 'cursor', '--profile', 'work'], {}), machine);
  const { name, command, args, env } = server;
  for (const over of ['app', 'web'] as const) {
    const { searchParams } = new URL(oneClickLink('cursor', server, over) ?? '');
    expect(searchParams.get('name')).toBe(name);
    expect(JSON.parse(atob(searchParams.get('config') ?? ''))).toEqual({ command, args, env });
  }
  const app = new URL(oneClickLink('vscode', server, 'app') ?? '');
  expect(`${app.protocol}${app.pathname}`).toBe('vscode:mcp/install');
  expect(JSON.parse(decodeURIComponent(app.search.slice(1)))).toEqual({ name, command, args, env });
  const web = new URL(oneClickLink('vscode', server, 'web') ?? '');
  expect(JSON.parse(web.searchParams.get('config') ?? '')).toEqual({ command, args, env });
  expect(oneClickLink('zed', server, 'app')).toBeUndefined();
});
