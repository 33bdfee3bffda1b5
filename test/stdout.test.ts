import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ConnectionRecord } from '../src/credentials/record.ts';
import { runCommand } from './support/run-command.ts';
import { type Home, homeInTest } from './support/spawn-bridge.ts';
import { ageTokens, expireTokens, storeFolder } from './support/stored-record.ts';
import { approve, approveUnfollowed, follow } from './support/upstream/browser.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

/** Collects what nobody may see: from the record at each step, and from what the server was sent. */
function collectSecrets(home: Home, upstream: Upstream) {
  const secrets = new Set<string>();
  const add = (...found: (string | undefined)[]) => {
    for (const secret of found) if (secret !== undefined) secrets.add(secret);
  };
  const ofRecord = ({ grant, pendingSignIn }: ConnectionRecord) => {
    add(grant?.tokens.access_token, grant?.tokens.refresh_token, grant?.previous, grant?.registration.client_secret);
    for (const { codeVerifier } of pendingSignIn?.prepared?.attempts ?? []) add(codeVerifier);
  };
  return {
    note: async () => {
      const record = await home.record();
      if (record) ofRecord(record);
    },
    all: () => {
      for (const { form, headers } of upstream.requests) {
        add(form?.code, form?.code_verifier, form?.refresh_token, form?.token, headers.authorization?.split(' ')[1]);
      }
      return [...secrets];
    },
  };
}

async function readTree(folder: string): Promise<{ path: string; mode: number; text: string }[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (path) => ({ path, mode: (await stat(path)).mode & 0o777, text: await readFile(path, 'utf8') })),
  );
}

test('a whole story with trouble puts only MCP messages on stdout, and no secret anywhere but in the record', async () => {
  const upstream = await upstreamInTest({ issParameter: true });
  const home = await homeInTest('ignores');
  const secrets = collectSecrets(home, upstream);
  const bridge = runCommand(home, ['--url', upstream.url, '--log-level', 'debug']);
  const arguments_ = await readFile(`/proc/${bridge.pid}/cmdline`, 'utf8');
  let calls = 0;
  const say = (message: object) => bridge.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const answered = (id: string) => bridge.shows(new RegExp(`^.*"id":"${id}".*\n`, 'm'));
  const call = () => {
    const id = `call-${++calls}`;
    say({ id, method: 'tools/call', params: { name: 'notion-search', arguments: { query: 'roadmap' } } });
    return answered(id);
  };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  say({ id: 'initialize', method: 'initialize', params });
  await answered('initialize');
  say({ method: 'notifications/initialized' });

  // a line that is no message, a method that is none
  bridge.write('{"jsonrpc": "2.0", "id": \n');
  await bridge.shows(/"code":-32700/);
  say({ id: 'discover', method: 'server/discover' });
  await answered('discover');

  // a sign-in with a forged state, a forged issuer, a failed exchange, and then an approval
  const first = call();
  const { url } = await home.browser.tab(1);
  await secrets.note();
  const callback = new URL(await approveUnfollowed(url));
  for (const name of ['state', 'iss']) {
    const forged = new URL(callback);
    forged.searchParams.set(name, 'https://attacker.example');
    await follow(forged.href);
  }
  upstream.faults.next('token', { kind: 'html', handled: true });
  expect((await follow(callback.href)).body).toContain('The sign-in did not work');
  await secrets.note();
  await approve((await home.record())?.pendingSignIn?.prepared?.url ?? '');
  expect(await first).toContain('"result"');
  await secrets.note();

  // a refresh that fails in two ways and then succeeds, and one that a 401 asks for
  await expireTokens(home);
  upstream.faults.next('token', { kind: 'garbage-json' });
  upstream.faults.next('token', { kind: 'status', status: 429, body: { error: 'rate_limited' } });
  await call();
  await secrets.note();
  await ageTokens(home);
  await upstream.expireAccessTokens();
  await call();
  await secrets.note();

  // a page of the edge instead of an answer, a session that is gone, and a grant that is revoked
  upstream.faults.next('mcp', { kind: 'html' }, { when: { tool: 'notion-search' } });
  await call();
  await upstream.dropSessions();
  await call();
  await ageTokens(home);
  await upstream.revokeGrants();
  const last = call();
  const second = await home.browser.tab(2);
  await secrets.note();
  await approve(second.url);
  expect(await last).toContain('"result"');
  await secrets.note();

  bridge.endInput();
  const { code, stdout, stderr } = await bridge.ended;
  expect(code).toBe(0);
  expect(stdout.endsWith('\n')).toBe(true);
  for (const line of stdout.trimEnd().split('\n')) expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' });
  for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^notion-mcp-bridge: [^A-Z].*[^.]$/);

  const hidden = secrets.all();
  expect(hidden.length).toBeGreaterThanOrEqual(12);
  const files = await readTree(storeFolder(home));
  const logs = files.filter(({ path }) => path.endsWith('.log'));
  expect(logs.map(({ text }) => text).join()).toContain('refreshed the access token');
  for (const { path, mode } of files) expect({ path, mode }).toEqual({ path, mode: 0o600 });
  const shown = [stdout, stderr, arguments_, ...home.browser.tabs.map((tab) => tab.url)];
  const stored = files.filter(({ path }) => !/-[0-9a-f]{8}\.json$/.test(path)).map(({ text }) => text);
  for (const secret of hidden) {
    for (const text of [...shown, ...stored]) expect(text.includes(secret), `${secret} in ${text}`).toBe(false);
  }
  // the link is for the person: in results and in the tab, not in a log (product.md 7)
  const states = [url, second.url].map((link) => new URL(link).searchParams.get('state') ?? 'no state');
  for (const state of states) for (const text of [stderr, ...stored]) expect(text).not.toContain(state);
});
