import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { expect, test } from 'vitest';
import { clientNames, clients } from '../src/clients/clients.ts';
import { oneClickLink } from '../src/clients/one-click.ts';
import { chosenFile, type Machine } from '../src/clients/places.ts';
import { serverFor } from '../src/clients/server.ts';
import type { CommandContext } from '../src/commands/command.ts';
import { help } from '../src/commands/help.ts';
import { readConfig } from '../src/config.ts';
import { hints } from '../src/errors.ts';
import { commandNames, optionTable } from '../src/options.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const rows = [...readme.matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)].map(([, name = '', rest = '']) => ({ name, rest }));

test('the troubleshooting table has a row for each code, and no other', () => {
  const codes = rows.map(({ name }) => name).filter((name) => /^[A-Z_]+$/.test(name));
  expect(codes).toEqual(Object.keys(hints));
});

test('the runbook has a row for each code, and no other', () => {
  const runbook = readFileSync(new URL('../docs/troubleshooting.md', import.meta.url), 'utf8');
  const codes = [...runbook.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  expect(codes).toEqual(Object.keys(hints));
});

test('the table of options names each one that a client may want to set, with its environment variable', () => {
  const told = rows
    .filter(({ name }) => name.startsWith('--'))
    .map(({ name, rest }) => [name.slice(2).split(' ')[0], /`(\w+)`/.exec(rest)?.[1]]);
  const known = Object.entries(optionTable).flatMap(([name, option]) =>
    'environment' in option ? [[name, option.environment]] : [],
  );
  expect(told.sort()).toEqual(known.sort());
});

test('the table of commands names each one that a person types, and so does the help', async () => {
  const typed = commandNames.filter((name) => !['serve', 'help', 'version'].includes(name));
  const told = rows.map(({ name }) => name).filter((name) => /^[a-z]+$/.test(name));
  expect(told.sort()).toEqual([...typed].sort());
  const printed: string[] = [];
  await help({ print: (text: string) => void printed.push(text) } as unknown as CommandContext);
  const text = printed.join('');
  for (const name of typed) expect(text).toMatch(new RegExp(`^  ${name} `, 'm'));
  // a screen
  expect(text.split('\n').length).toBeLessThanOrEqual(40);
  expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(text.trimEnd().split('\n').at(-1)).toMatch(/^Example.*: npx -y notion-mcp-bridge /);
});

test('there is a row for each client, with the command for it', () => {
  for (const name of clientNames) {
    const client = clients[name];
    const command = client.form === 'json' && client.install ? 'install' : 'config';
    expect(readme).toMatch(new RegExp(`^\\| ${client.title} \\| \`${command} ${name}\``, 'm'));
  }
});

test('the links that add the server by a click hold what the commands write', () => {
  const machine: Machine = { platform: 'linux', home: '/home/ada', environment: {} };
  for (const name of ['cursor', 'vscode'] as const) {
    const server = serverFor(clients[name], readConfig(['config', name], {}), machine);
    expect(readme).toContain(`(${oneClickLink(name, server, 'web')})`);
  }
  expect(readme).toContain(chosenFile);
});

test('the transports of the SDK refuse or change what the relay has to pass, as docs/architecture.md says', async () => {
  const input = new PassThrough();
  const transport = new StdioServerTransport(input, new PassThrough());
  const passed: string[] = [];
  let refused = 0;
  transport.onmessage = (message) => void passed.push(JSON.stringify(message));
  transport.onerror = () => {
    refused += 1;
  };
  await transport.start();
  const refusals = [
    '{"jsonrpc":"2.0","id":1,"method":"x","extra":1}',
    '{"jsonrpc":"2.0","id":null,"method":"x"}',
    '{"jsonrpc":"2.0","id":1.5,"method":"x"}',
    '{"jsonrpc":"2.0","id":12345678901234567890,"method":"x"}',
  ];
  const changes = [
    '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","more":2}}',
    '{"jsonrpc":"2.0","id":2,"result":{"large":12345678901234567890}}',
  ];
  for (const line of [...refusals, ...changes]) input.write(`${line}\n`);
  await expect.poll(() => passed.length + refused).toBe(refusals.length + changes.length);
  expect(refused).toBe(refusals.length);
  expect(passed.filter((line) => changes.includes(line))).toEqual([]);
  await transport.close();
});
