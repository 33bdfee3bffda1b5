import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLog, type LogFields, type LogLevel, logLevels } from '../src/log.ts';
import { createLogFile } from '../src/log-file.ts';
import { clockInTest } from './support/clock.ts';
import { folderInTest } from './support/store-in-test.ts';

function logged(event: string, fields: LogFields = {}, level: LogLevel = 'info') {
  const lines = { person: [] as string[], file: [] as string[] };
  const sinks = { person: (line: string) => lines.person.push(line), file: (line: string) => lines.file.push(line) };
  const clock = clockInTest();
  createLog('debug', sinks, clock)[level](event, fields);
  return { person: lines.person.join(''), file: lines.file.join(''), now: clock.now() };
}

test('an event is one prefixed line for the person, and one with time and level in the file', () => {
  const { person, file, now } = logged('refreshed the access token', { expiresIn: 60, fingerprint: 'abc' }, 'warn');
  expect(person).toBe('notion-mcp-bridge: refreshed the access token expiresIn=60 fingerprint=abc\n');
  expect(file).toBe(`${new Date(now).toISOString()} warn refreshed the access token expiresIn=60 fingerprint=abc\n`);
});

test.each([
  'token',
  'accessToken',
  'refresh_token',
  'clientSecret',
  'code',
  'codeVerifier',
  'oauthState',
  'authorization',
  'signInUrl',
  'apiKey',
  'password',
  'cookie',
])('what a field named %s holds is never written', (name) => {
  const { person, file } = logged('event', { [name]: 'hunter2' });
  for (const text of [person, file]) {
    expect(text).toContain(`${name}=[redacted]`);
    expect(text).not.toContain('hunter2');
  }
});

test.each(['errorCode', 'statusCode', 'exitCode', 'oauthError', 'upstreamUrl', 'state', 'path'])(
  'what a field named %s holds is written',
  (name) => expect(logged('event', { [name]: 'visible' }).person).toContain(`${name}=visible`),
);

test('an absent field is left out, and a text with spaces is quoted', () => {
  const { person } = logged('event', { absent: undefined, path: '/a b', why: 'a "b"' });
  expect(person).toBe('notion-mcp-bridge: event path="/a b" why="a \\"b\\""\n');
});

test('nothing that a server says makes another line, a control sequence, or a long one', () => {
  const hostile = `slow\r\nnotion-mcp-bridge: all is well\u001b[2J\u0085${'x'.repeat(10_000)}`;
  const { person, file } = logged(`the token endpoint did not serve (${hostile})`, { why: hostile });
  for (const text of [person, file]) {
    expect(text.match(/\p{Cc}/gu)).toEqual(['\n']);
    expect(text.length).toBeLessThan(1_200);
  }
});

test('the person sees the chosen level and what is worse, the file everything', () => {
  for (const [chosen, level] of logLevels.entries()) {
    const lines = { person: [] as string[], file: [] as string[] };
    const sinks = { person: (line: string) => lines.person.push(line), file: (line: string) => lines.file.push(line) };
    const log = createLog(level, sinks, clockInTest());
    for (const one of logLevels) log[one](one);
    expect(lines.person).toEqual(logLevels.slice(0, chosen + 1).map((one) => `notion-mcp-bridge: ${one}\n`));
    expect(lines.file).toHaveLength(4);
  }
});

test('the log file is private, and has one older generation', async () => {
  const folder = join(await folderInTest(), 'store');
  const write = createLogFile(folder, 'serve');
  write('one\n');
  const path = join(folder, 'logs', 'serve.log');
  expect(await readFile(path, 'utf8')).toBe('one\n');
  const modeOf = async (of: string) => ((await stat(of)).mode & 0o777).toString(8);
  expect([await modeOf(join(folder, 'logs')), await modeOf(path)]).toEqual(['700', '600']);
  for (const generation of ['a', 'b']) {
    await writeFile(path, generation.repeat(1_100_000));
    write('next\n');
    expect(await readFile(path, 'utf8')).toBe('next\n');
    expect((await readFile(`${path}.1`, 'utf8'))[0]).toBe(generation);
  }
});

test('a log file that cannot be written is given up in silence', async () => {
  const folder = await folderInTest();
  await writeFile(join(folder, 'logs'), 'in the way');
  const write = createLogFile(folder, 'serve');
  write('one\n');
  write('two\n');
  expect(await readFile(join(folder, 'logs'), 'utf8')).toBe('in the way');
  await mkdir(join(folder, 'other', 'logs', 'serve.log'), { recursive: true });
  createLogFile(join(folder, 'other'), 'serve')('one\n');
});
