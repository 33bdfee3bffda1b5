import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { spawnRaw } from './support/raw-client.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const nobody = 'http://127.0.0.1:9/mcp';

function logOf(home: Home, command: string): Promise<string> {
  return readFile(join(home.path, '.notion-mcp-bridge', 'logs', `${command}.log`), 'utf8');
}

test('an error answer is in the log file with its code, and its hint is for this connection', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const client = spawnRaw({ home, url: upstream.url, args: ['--profile', 'work', '--no-browser'] });
  await client.hello();
  const text = await client.textOf('notion-search', { query: 'wiki' });
  expect(text).toMatch(/^REAUTH_REQUIRED/);
  const { error } = await client.request('prompts/get', { name: 'summarize-page' });
  expect(error.data.hint).toContain(`\`npx -y notion-mcp-bridge login --profile work --url ${upstream.url}\``);
  const log = await logOf(home, 'serve');
  expect(log).toMatch(/answered with an error method=tools\/call errorCode=REAUTH_REQUIRED/);
  expect(log).toMatch(/answered with an error method=prompts\/get errorCode=REAUTH_REQUIRED/);
  expect(log).not.toContain(/http\S+$/.exec(text)?.[0]);
});

test('a command that fails leaves its code in the log file', async () => {
  const home = await homeInTest();
  const { code, stderr } = await runCommand(home, ['login', '--url', nobody]).ended;
  expect(code).toBe(1);
  expect(stderr).toContain('(UPSTREAM_UNREACHABLE)');
  expect(await logOf(home, 'login')).toContain('errorCode=UPSTREAM_UNREACHABLE');
});
