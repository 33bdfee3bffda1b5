import { lstat, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configuredHome, type InstallableClient, placesOnLinux } from './support/client-config.ts';
import { runCommand } from './support/run-command.ts';
import { builtBridge, homeInTest, strippedEnvironment } from './support/spawn-bridge.ts';
import { connectProgram } from './support/spawn-client.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const windowsLines = (text: string) => text.replaceAll('\n', '\r\n');

/** A configuration before and after: what stands there is every byte of it. */
interface Case {
  what: string;
  client: InstallableClient;
  before: string;
  after: string;
}

const mcpServersAlone = `{
  "mcpServers": {
    "notion": {
      "command": "npx",
      "args": ["-y", "notion-mcp-bridge"]
    }
  }
}
`;

const cases: Case[] = [
  {
    what: 'the configuration of Claude Desktop itself',
    client: 'claude-desktop',
    before: '{\n  "globalShortcut": "",\n  "mcpServers": {},\n  "preferences": {"a":  1e3, "b":[1,2 , 3]}\n}',
    after: `{
  "globalShortcut": "",
  "mcpServers": {
    "notion": {
      "command": "npx",
      "args": ["-y", "notion-mcp-bridge"]
    }
  },
  "preferences": {"a":  1e3, "b":[1,2 , 3]}
}`,
  },
  {
    what: 'comments, tabs, and members that nobody knows',
    client: 'cursor',
    before: `// my servers
{
\t"mcpServers": {
\t\t"files": { "command": "npx", "args": [ "-y", "files-mcp" ], "x-mine": null }, /* still good */ // since May
\t\t"search": {"url":"https://search.example/mcp"} // http
\t\t// "old": { "command": "old" }
\t},
\t"x-else": {  }
} // the end`,
    after: `// my servers
{
\t"mcpServers": {
\t\t"files": { "command": "npx", "args": [ "-y", "files-mcp" ], "x-mine": null }, /* still good */ // since May
\t\t"search": {"url":"https://search.example/mcp"}, // http
\t\t"notion": {
\t\t\t"command": "npx",
\t\t\t"args": ["-y", "notion-mcp-bridge"]
\t\t}
\t\t// "old": { "command": "old" }
\t},
\t"x-else": {  }
} // the end`,
  },
  {
    what: 'commas at the end, and four spaces',
    client: 'vscode',
    before: `{
    "inputs": [],
    "servers": {
        "search": {
            "url": "https://search.example/mcp",
        }, // http
    },
}
`,
    after: `{
    "inputs": [],
    "servers": {
        "search": {
            "url": "https://search.example/mcp",
        }, // http
        "notion": {
            "type": "stdio",
            "command": "npx",
            "args": ["-y", "notion-mcp-bridge"]
        },
    },
}
`,
  },
  {
    what: 'a byte order mark and the line breaks of Windows',
    client: 'cursor',
    before: `\uFEFF${windowsLines('{\n  "other": "ä\\u00e4"\n}\n')}`,
    after: `\uFEFF${windowsLines(`{
  "other": "ä\\u00e4",
  "mcpServers": {
    "notion": {
      "command": "npx",
      "args": ["-y", "notion-mcp-bridge"]
    }
  }
}
`)}`,
  },
  {
    what: 'everything on one line',
    client: 'claude-desktop',
    before: '{"mcpServers":{"files":{"command":"files"}},"x":1}\n',
    after:
      '{"mcpServers":{"files":{"command":"files"},"notion":{"command":"npx","args":["-y","notion-mcp-bridge"]}},"x":1}\n',
  },
  {
    what: 'the same servers twice, of which a reader takes the last',
    client: 'cursor',
    before: '{ "mcpServers": { "a": {} }, "mcpServers": { "b": {} } }',
    after:
      '{ "mcpServers": { "a": {} }, "mcpServers": { "b": {}, "notion": {"command": "npx", "args": ["-y", "notion-mcp-bridge"]} } }',
  },
  {
    what: 'nothing but a comment in an object',
    client: 'vscode',
    before: '{\n  // nothing yet\n}\n',
    after: `{
  // nothing yet
  "servers": {
    "notion": {
      "type": "stdio",
      "command": "npx",
      "args": ["-y", "notion-mcp-bridge"]
    }
  }
}
`,
  },
  { what: 'an empty object', client: 'claude-desktop', before: '{}\n', after: mcpServersAlone },
  { what: 'an empty file', client: 'claude-desktop', before: '', after: mcpServersAlone },
  { what: 'a line break alone', client: 'cursor', before: '\r\n', after: windowsLines(`\n${mcpServersAlone}`) },
  {
    what: 'an entry of ours from before, with more in it',
    client: 'cursor',
    before: `{
  "mcpServers": {
    "notion": {
      "disabled": false, // mine
      "command": "npx",
      "args": ["-y",
               "notion-mcp-bridge@0.0.1"],
      "env": { "NOTION_MCP_BRIDGE_LOG_LEVEL": "debug" }
    }
  }
}
`,
    after: `{
  "mcpServers": {
    "notion": {
      "disabled": false, // mine
      "command": "npx",
      "args": ["-y", "notion-mcp-bridge"],
      "env": { "NOTION_MCP_BRIDGE_LOG_LEVEL": "debug" }
    }
  }
}
`,
  },
];

describe('install keeps every other byte of', () => {
  test.each(cases)('$what', async ({ client, before, after }) => {
    const config = await configuredHome(client, before);
    const { code, stdout } = await config.install();
    expect(await config.content()).toBe(after);
    expect(code).toBe(0);
    // the file as it was is beside it, for nobody else, and its name is told
    const backup = await config.backup();
    expect(backup).toMatchObject({ content: before, mode: 0o600 });
    expect(stdout).toContain(backup.path);

    const inode = (await stat(config.path)).ino;
    const again = await config.install();
    expect(again).toMatchObject({ code: 0, stdout: `${config.path}\nnotion is already there; nothing was changed\n` });
    expect((await stat(config.path)).ino).toBe(inode);
    expect(await config.beside()).toHaveLength(1);
  });
});

test('install shows the change alone, and says what to restart', async () => {
  const config = await configuredHome(
    'claude-desktop',
    '{\n    "mcpServers": {"a": {"env": {"A_SECRET": "hush"}}}\n}\n',
  );
  const first = await config.install();
  expect(first.stderr).toBe('');
  expect(first.stdout).toBe(`${config.path}

  + "notion": {"command": "npx", "args": ["-y", "notion-mcp-bridge"]}

notion is set up in Claude Desktop; the file as it was is ${(await config.backup()).path}
now quit Claude Desktop completely, from the menu bar or the tray too, and start it again
`);
  const { stdout } = await config.install(['--no-browser']);
  expect(stdout).toContain(`
  - "args": ["-y", "notion-mcp-bridge"]
  + "args": ["-y", "notion-mcp-bridge", "--no-browser"]
`);
});

test('install tells a program what it did', async () => {
  const config = await configuredHome('vscode', '{}');
  const { stdout } = await config.install(['--json']);
  expect(JSON.parse(stdout)).toEqual({
    client: 'vscode',
    name: 'notion',
    path: config.path,
    changed: true,
    backup: (await config.backup()).path,
    withheld: [],
    restart: expect.stringContaining('VS Code'),
  });
  const again = await config.install(['--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ changed: false });
});

test('another profile and another server get entries of their own', async () => {
  const config = await configuredHome('cursor');
  await config.install();
  await config.install(['--profile', 'work']);
  await config.install(['--url', 'https://mcp.example.com/mcp?a=1&b=2', '--config-dir', 'relative dir']);
  await config.install([], { NOTION_MCP_BRIDGE_PROFILE: 'home', NOTION_MCP_BRIDGE_NO_BROWSER: '1' });
  expect(JSON.parse(await config.content())).toEqual({
    mcpServers: {
      notion: { command: 'npx', args: ['-y', 'notion-mcp-bridge'] },
      'notion-work': { command: 'npx', args: ['-y', 'notion-mcp-bridge', '--profile', 'work'] },
      'mcp-example-com': {
        command: 'npx',
        args: [
          ...['-y', 'notion-mcp-bridge', '--url', 'https://mcp.example.com/mcp?a=1&b=2'],
          ...['--config-dir', '/relative dir'],
        ],
      },
      'notion-home': { command: 'npx', args: ['-y', 'notion-mcp-bridge', '--profile', 'home', '--no-browser'] },
    },
  });
});

test('what install writes starts the bridge, which finds the sign-in of the terminal', async () => {
  const upstream = await upstreamInTest();
  const config = await configuredHome('claude-desktop');
  await runCommand(config.home, ['login', '--url', upstream.url]).ended;
  await config.install(['--url', upstream.url]);
  const [entry] = Object.values(JSON.parse(await config.content()).mcpServers) as { args: string[] }[];
  const [yes, name, ...args] = entry?.args ?? [];
  expect([yes, name]).toEqual(['-y', 'notion-mcp-bridge']);
  const program = { command: process.execPath, args: [builtBridge, ...args], env: strippedEnvironment(config.home) };
  const bridge = await connectProgram(program);
  expect(await bridge.call('notion-search', { query: 'release' })).toMatchObject({ isError: false });
  await bridge.close();
  expect(config.home.browser.tabs).toHaveLength(1);
});

describe('what the client would not pass on', () => {
  test('is written into the entry, and added to one that is there', async () => {
    const config = await configuredHome('claude-desktop');
    await config.install();
    const network = { https_proxy: 'http://proxy.example:3128', NO_PROXY: 'localhost', NODE_USE_SYSTEM_CA: '1' };
    await config.install([], network);
    const { env } = JSON.parse(await config.content()).mcpServers.notion;
    expect(env).toEqual({ HTTPS_PROXY: 'http://proxy.example:3128', NO_PROXY: 'localhost', NODE_USE_SYSTEM_CA: '1' });
    // it stays when the next terminal has it not
    expect((await config.install()).stdout).toContain('nothing was changed');
  });

  test('names the certificates by a path that is good everywhere', async () => {
    const config = await configuredHome('cursor');
    await config.install([], { NODE_EXTRA_CA_CERTS: 'company.pem' });
    expect(JSON.parse(await config.content()).mcpServers.notion.env).toEqual({ NODE_EXTRA_CA_CERTS: '/company.pem' });
  });

  test('is left out when it holds a password, and that is said', async () => {
    const config = await configuredHome('vscode');
    const { stdout, stderr } = await config.install([], { HTTPS_PROXY: 'http://ada:hunter2@proxy.example:3128' });
    expect(`${stdout}${stderr}${await config.content()}`).not.toContain('hunter2');
    expect(stderr).toBe(
      'notion-mcp-bridge: HTTPS_PROXY holds a password, so it is left out; add it to the "env" of the entry yourself\n',
    );
  });
});

describe('a configuration that is not there yet', () => {
  test.each(Object.keys(placesOnLinux) as InstallableClient[])('is made where %s has run', async (client) => {
    const config = await configuredHome(client);
    const { code, stdout } = await config.install();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^notion is set up in .*; its file is new$/m);
    expect((await lstat(config.path)).mode & 0o777).toBe(0o600);
    expect(await config.beside()).toEqual([]);
  });

  test('is made with its folder where that is plainly its own', async () => {
    const home = await homeInTest();
    const { code, stdout } = await runCommand(home, ['install', 'cursor']).ended;
    expect(code).toBe(0);
    expect(stdout).toContain('its file and folder are new: Cursor seems not to have run here yet');
    expect(await readFile(join(home.path, '.cursor/mcp.json'), 'utf8')).toBe(mcpServersAlone);
    expect((await lstat(join(home.path, '.cursor'))).mode & 0o777).toBe(0o700);
  });
});
