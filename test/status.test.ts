import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { search } from './support/opened-tab.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { ageTokens, changeRecord, recordPath, storeFolder } from './support/stored-record.ts';
import { secretsOf } from './support/told-status.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

test('status tells a person and a program where things stand, in every state, and nothing secret', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const stderr: string[] = [];
  const status = async (...args: string[]) => {
    const ended = await runCommand(home, ['status', '--url', upstream.url, ...args]).ended;
    const record = await home.record();
    for (const secret of record ? secretsOf(record) : []) expect(ended.stdout + ended.stderr).not.toContain(secret);
    stderr.push(ended.stderr);
    return ended;
  };
  const facts = async () => {
    const { code, stdout } = await status('--json');
    return { code, ...(JSON.parse(stdout) as Record<string, unknown>) };
  };

  expect(await facts()).toMatchObject({
    code: 1,
    state: 'signed_out',
    next: `run \`npx -y notion-mcp-bridge login --url ${upstream.url}\``,
  });
  expect(await readdir(home.path)).not.toContain('.notion-mcp-bridge');

  const bridge = await spawnBridge({ home, url: upstream.url });
  await search(bridge);
  const { grant } = (await home.record()) ?? expect.fail('there is no record');
  expect(await facts()).toMatchObject({
    code: 0,
    profile: 'default',
    upstream: upstream.url,
    state: 'connected',
    workspace: 'Ada’s workspace',
    issuer: upstream.origin,
    clientId: grant?.registration.client_id,
    grantAgeSeconds: expect.any(Number),
    record: await recordPath(home),
  });
  const { code, stdout } = await status();
  expect(code).toBe(0);
  expect(stdout).toMatch(/^state +connected$/m);
  expect(stdout).toMatch(/^workspace +Ada’s workspace$/m);
  expect(stdout).toContain(await recordPath(home));

  await ageTokens(home);
  await upstream.revokeGrants();
  home.browser.person = 'ignores';
  const call = search(bridge);
  const { url } = await home.browser.tab(2);
  expect(secretsOf((await home.record()) ?? expect.fail())).toHaveLength(3);
  expect(await facts()).toMatchObject({
    code: 1,
    state: 'needs_reconnect',
    reason: 'invalid_grant',
    signIn: { link: url, pid: bridge.pid, since: expect.any(String) },
    next: 'open the sign-in link and approve',
  });
  expect((await status()).stdout).toContain(url);
  expect(stderr.join('')).toBe('');
  await bridge.close();
  await call.catch(() => undefined);
});

test('two profiles are separate records with separate registrations', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const inProfile = (profile: string, command: string) =>
    runCommand(home, [command, '--profile', profile, '--url', upstream.url]).ended;
  for (const profile of ['home', 'work']) expect(await inProfile(profile, 'login')).toMatchObject({ code: 0 });
  const records = (await readdir(storeFolder(home))).filter((name) => /-[0-9a-f]{8}\.json$/.test(name));
  expect(records.map((name) => name.split('@')[0]).sort()).toEqual(['home', 'work']);
  const grants = await upstream.grants();
  expect(new Set(grants.map(({ clientId }) => clientId)).size).toBe(2);

  expect(await inProfile('home', 'logout')).toMatchObject({ code: 0 });
  expect(await inProfile('home', 'status')).toMatchObject({ code: 1 });
  expect(await inProfile('work', 'status')).toMatchObject({ code: 0 });
  const bridge = await spawnBridge({ home, url: upstream.url, args: ['--profile', 'work'] });
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(2);
});

test('a terminal with XDG_* set and a bridge with a stripped environment meet in one record', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const XDG = ['CONFIG', 'DATA', 'STATE', 'CACHE'].map((name) => [`XDG_${name}_HOME`, join(home.path, 'xdg', name)]);
  const login = runCommand(home, ['login', '--url', upstream.url], Object.fromEntries(XDG));
  expect(await login.ended).toMatchObject({ code: 0 });
  const bridge = await spawnBridge({ home, url: upstream.url });
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(home.browser.tabs).toHaveLength(1);
  expect(await readdir(home.path)).not.toContain('xdg');
});

test('--config-dir and its environment variable lead to the same other place', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const folder = join(home.path, 'elsewhere');
  const login = runCommand(home, ['login', '--url', upstream.url, '--config-dir', folder]);
  expect(await login.ended).toMatchObject({ code: 0 });
  const env = { NOTION_MCP_BRIDGE_CONFIG_DIR: folder, NOTION_MCP_BRIDGE_URL: upstream.url };
  const { code, stdout } = await runCommand(home, ['status'], env).ended;
  expect(code).toBe(0);
  expect(stdout).toContain(`${folder}/default@127.0.0.1-`);
  expect(await readdir(home.path)).not.toContain('.notion-mcp-bridge');
});

test('times that are none, in a record written by hand, are shown as unknown', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  await changeRecord(home, (record) => {
    if (record.grant) record.grant.tokens.expiresAt = 1e20;
    const ended = { client_id: 'earlier', why: 'invalid_grant' };
    Object.assign(record, { history: [ended] });
  });
  const { code, stdout, stderr } = await runCommand(home, ['status', '--url', upstream.url]).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^next refresh +when next used/m);
});
