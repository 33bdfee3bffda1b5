import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Config, type Environment, forConnection, readConfig } from '../src/config.ts';
import { defaultFolder, locate } from '../src/credentials/location.ts';
import { commandNames, optionTable } from '../src/options.ts';
import { folderInTest } from './support/store-in-test.ts';

const environmentNames = Object.values(optionTable).flatMap((option) =>
  'environment' in option ? [option.environment] : [],
);

function read(args: string, environment: Environment = {}): Config {
  return readConfig(args.split(' ').filter(Boolean), environment);
}

test('without options Notion is served for the default profile', () => {
  expect(read('')).toMatchObject({
    command: 'serve',
    client: undefined,
    upstreamUrl: new URL('https://mcp.notion.com/mcp'),
    profile: 'default',
    isNamed: false,
    folder: join(homedir(), '.notion-mcp-bridge'),
    callbackPort: undefined,
    preregistered: { clientId: undefined, clientSecret: undefined, clientMetadataUrl: undefined },
    noBrowser: false,
    reauth: false,
    force: false,
    header: false,
    json: false,
    protocol: undefined,
    readOnly: false,
    hideTools: [],
    logLevel: 'info',
    options: [],
  } satisfies Config);
});

test('every option of a command line arrives', async () => {
  const secret = join(await folderInTest(), 'secret');
  await writeFile(secret, ' hunter2\n');
  const args = `login --url https://a.example/x --profile work --config-dir /tmp/c --callback-port 4000 --no-browser --reauth
    --client-id me --client-secret-file ${secret} --client-metadata-url https://me.example/client --protocol 2026-07-28
    --read-only --hide-tool notion-create-* --hide-tool notion-move-pages,x? --log-level debug --header --json`;
  expect(read(args.replace(/\s+/g, ' '))).toEqual({
    command: 'login',
    client: undefined,
    upstreamUrl: new URL('https://a.example/x'),
    profile: 'work',
    isNamed: true,
    folder: '/tmp/c',
    callbackPort: 4000,
    preregistered: { clientId: 'me', clientSecret: 'hunter2', clientMetadataUrl: 'https://me.example/client' },
    noBrowser: true,
    reauth: true,
    force: true,
    header: true,
    json: true,
    protocol: '2026-07-28',
    readOnly: true,
    hideTools: ['notion-create-*', 'notion-move-pages', 'x?'],
    logLevel: 'debug',
    options: [
      { name: 'url', value: 'https://a.example/x' },
      { name: 'profile', value: 'work' },
      { name: 'config-dir', value: '/tmp/c' },
      { name: 'callback-port', value: '4000' },
      { name: 'no-browser' },
      { name: 'reauth' },
      { name: 'protocol', value: '2026-07-28' },
      { name: 'client-id', value: 'me' },
      { name: 'client-secret-file', value: secret },
      { name: 'client-metadata-url', value: 'https://me.example/client' },
      { name: 'read-only' },
      { name: 'hide-tool', value: 'notion-create-*' },
      { name: 'hide-tool', value: 'notion-move-pages' },
      { name: 'hide-tool', value: 'x?' },
      { name: 'log-level', value: 'debug' },
    ],
  });
  expect(read('status --profile default')).toMatchObject({ isNamed: true });
  expect(read('status --config-dir /tmp/c')).toMatchObject({ isNamed: false });
  expect(read('login --force')).toMatchObject({ force: true, reauth: false });
  // a client's setting is not a wish to rotate at each scheduled run, and cron mails whatever is said
  expect(read('refresh --reauth')).toMatchObject({ force: false, logLevel: 'error' });
  expect(read('token')).toMatchObject({ logLevel: 'error' });
  expect(read('doctor')).toMatchObject({ logLevel: 'error' });
  expect(read('login')).toMatchObject({ logLevel: 'warn' });
  expect(read('refresh --force --log-level info')).toMatchObject({ force: true, logLevel: 'info' });
});

test.each(commandNames)('%s is a command', (name) => {
  expect(read(name)).toMatchObject({ command: name });
});

test.each(['config', 'install'])('%s takes a client', (name) => {
  expect(read(`${name} cursor --profile work`)).toMatchObject({ command: name, client: 'cursor', profile: 'work' });
  expect(() => read(`${name} cursor zed`)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});

test('what another process has to be given again is what differs from the defaults', () => {
  const args = '--url HTTPS://mcp.Notion.com:443/mcp --profile default --log-level info';
  expect(read(args, { NOTION_MCP_BRIDGE_NO_BROWSER: 'no' }).options).toEqual([]);
  const given = '--force --json --config-dir here --url HTTPS://A.example/x#part';
  expect(read(given, { NOTION_MCP_BRIDGE_PROFILE: 'work' }).options).toEqual([
    { name: 'url', value: 'https://a.example/x' },
    { name: 'profile', value: 'work' },
    { name: 'config-dir', value: join(process.cwd(), 'here') },
  ]);
});

test('help and version are answered whatever else is asked', () => {
  expect(read('login --help')).toMatchObject({ command: 'help' });
  expect(read('nonsense --version')).toMatchObject({ command: 'version' });
});

describe('the environment', () => {
  test('has no name that a client strips', () => {
    expect(environmentNames).toHaveLength(13);
    for (const name of environmentNames) {
      expect(name).toMatch(/^NOTION_MCP_BRIDGE_/);
      expect(name).not.toMatch(/TOKEN|KEY|SECRET|AUTH/);
    }
  });

  test('says what the options say, and options win', async () => {
    const secret = join(await folderInTest(), 'secret');
    await writeFile(secret, 'hunter2');
    const environment = {
      NOTION_MCP_BRIDGE_URL: 'https://a.example/x',
      NOTION_MCP_BRIDGE_PROFILE: 'work',
      NOTION_MCP_BRIDGE_CONFIG_DIR: '/tmp/c',
      NOTION_MCP_BRIDGE_CALLBACK_PORT: ' 4000 ',
      NOTION_MCP_BRIDGE_NO_BROWSER: 'yes',
      NOTION_MCP_BRIDGE_CLIENT_ID: 'me',
      NOTION_MCP_BRIDGE_CLIENT_CREDENTIAL_FILE: secret,
      NOTION_MCP_BRIDGE_CLIENT_METADATA_URL: 'https://me.example/client',
      NOTION_MCP_BRIDGE_PROTOCOL: '2026-07-28',
      NOTION_MCP_BRIDGE_LOG_LEVEL: 'error',
    };
    expect(read('', environment)).toMatchObject({
      upstreamUrl: new URL('https://a.example/x'),
      profile: 'work',
      folder: '/tmp/c',
      callbackPort: 4000,
      noBrowser: true,
      preregistered: { clientId: 'me', clientSecret: 'hunter2', clientMetadataUrl: 'https://me.example/client' },
      protocol: '2026-07-28',
      logLevel: 'error',
    });
    expect(read('--profile home --log-level warn', environment)).toMatchObject({ profile: 'home', logLevel: 'warn' });
  });

  test('and the options hide tools together', () => {
    const environment = { NOTION_MCP_BRIDGE_HIDE_TOOL: 'a*, b', NOTION_MCP_BRIDGE_READ_ONLY: 'true' };
    expect(read('--hide-tool c', environment)).toMatchObject({ hideTools: ['a*', 'b', 'c'], readOnly: true });
  });

  // biome-ignore lint/suspicious/noTemplateCurlyInString: what an MCPB bundle passes
  test.each(['', '  ', '${user_config.x}'])('that holds %j for an option says nothing', (nothing) => {
    const environment = Object.fromEntries(environmentNames.map((name) => [name, nothing]));
    expect(read('', environment)).toEqual(read(''));
  });

  test.each([
    ['1', true],
    ['TRUE', true],
    ['on', true],
    ['0', false],
    ['false', false],
    ['No', false],
  ])('takes %s for a switch that is %s', (given, expected) => {
    expect(read('', { NOTION_MCP_BRIDGE_NO_BROWSER: given })).toMatchObject({ noBrowser: expected });
  });
});

describe('a value that cannot be', () => {
  test.each([
    '--url nowhere',
    '--url http://a.example/mcp',
    '--url ftp://a.example/mcp',
    '--url https://user:password@a.example/mcp',
    '--profile Work',
    '--profile ../work',
    `--profile ${'a'.repeat(41)}`,
    '--callback-port 0',
    '--callback-port 65536',
    '--callback-port 80.5',
    '--callback-port http',
    '--log-level loud',
    '--protocol latest',
    '--client-secret-file /nowhere',
    '--client-id me --client-secret-file /nowhere',
    '--client-id me --client-secret-file /dev/null',
    '--client-metadata-url http://me.example/client',
    '--unheard-of',
    '--hide-tool=',
    '--no-browser=false',
    '--profile',
    'unheard-of',
    'login twice',
  ])('is told: %s', (args) => {
    expect(() => read(args)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', name: 'BridgeError' }));
  });

  test('in the environment is told with its name', () => {
    const environment = { NOTION_MCP_BRIDGE_SIGN_IN_AGAIN: 'perhaps' };
    expect(() => read('', environment)).toThrow(/NOTION_MCP_BRIDGE_SIGN_IN_AGAIN/);
  });
});

describe('the URL', () => {
  test('may be plain http on this machine', () => {
    for (const host of ['127.0.0.1:8080', 'localhost', '[::1]:1']) {
      expect(read(`--url http://${host}/mcp`).upstreamUrl.host).toBe(host);
    }
  });

  test('names one record however it is written', () => {
    const nameOf = (url: string) => locate('/c', 'default', read(`--url ${url}`).upstreamUrl).record;
    expect(nameOf('HTTPS://MCP.Notion.com:443/mcp#part')).toBe(nameOf('https://mcp.notion.com/mcp'));
    expect(nameOf('https://mcp.notion.com/mcp')).toMatch(/^\/c\/default@mcp\.notion\.com-[0-9a-f]{8}\.json$/);
    const others = ['https://mcp.notion.com/mcp', 'https://mcp.notion.com/MCP', 'https://mcp.notion.com/mcp?a=b'];
    expect(new Set(others.map(nameOf)).size).toBe(3);
    expect(locate('/c', 'work', new URL('https://mcp.notion.com/mcp')).record).not.toBe(nameOf(others[0] as string));
  });
});

test('the folder is the same in a terminal and in a stripped environment', async () => {
  const home = await folderInTest();
  const before = { ...process.env };
  try {
    Object.assign(process.env, { HOME: home, XDG_CONFIG_HOME: join(home, 'xdg'), APPDATA: join(home, 'appdata') });
    const inTerminal = defaultFolder();
    for (const name of ['XDG_CONFIG_HOME', 'APPDATA']) delete process.env[name];
    expect(defaultFolder()).toBe(inTerminal);
    expect(inTerminal).toBe(join(home, '.notion-mcp-bridge'));
  } finally {
    process.env = before;
  }
});

test('a hint names the command for the very connection that it is about', () => {
  const hint = 'run `npx -y notion-mcp-bridge login`';
  expect(forConnection(read(''), hint)).toBe(hint);
  expect(forConnection(read('--profile work'), hint)).toBe('run `npx -y notion-mcp-bridge login --profile work`');
  expect(forConnection(read('--profile work'), 'run `npx -y notion-mcp-bridge logout` again')).toContain(
    'logout --profile work`',
  );
  expect(forConnection(read('--url https://a.example/mcp?a=1&b=2 --config-dir /tmp/c'), hint)).toBe(
    'run `npx -y notion-mcp-bridge login --url "https://a.example/mcp?a=1&b=2" --config-dir /tmp/c`',
  );
  expect(forConnection(read('--profile work'), 'run `npx -y notion-mcp-bridge --help`')).toContain('bridge --help');
  expect(forConnection(read('--profile work'), '`npx -y notion-mcp-bridge install cursor`')).toBe(
    '`npx -y notion-mcp-bridge install cursor --profile work`',
  );
});
