import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createLog } from '../src/log.ts';
import { clientKey, createListCache } from '../src/mcp/list-cache.ts';
import { homeInTest } from './support/spawn-bridge.ts';

const log = createLog('error', { person: () => undefined, file: () => undefined }, systemClock);
const tools = { tools: [{ name: 'a' }] };
const ada = clientKey({ clientInfo: { name: 'a', version: '1' }, capabilities: {} });

test('a list belongs to the authorization it was read with, until there is none', async () => {
  const path = join((await homeInTest()).path, 'lists.json');
  await createListCache(path, log).remember('tools/list', ada, 'first', tools);
  const cache = createListCache(path, log);
  expect(cache.list('tools/list', ada, 'first', true)).toEqual(tools);
  expect(cache.list('tools/list', ada, 'second', true)).toBeUndefined();
  expect(cache.list('tools/list', ada, 'signed_out', false)).toEqual(tools);
  await cache.remember('prompts/list', ada, 'second', { prompts: [] });
  expect(cache.list('tools/list', ada, 'second', true)).toBeUndefined();
  expect(createListCache(path, log).list('tools/list', ada, 'first', true)).toBeUndefined();
});

test('a client is its name, its version and its capabilities', () => {
  const hello = { clientInfo: { name: 'a', version: '1' }, capabilities: {} };
  expect(clientKey({ ...hello, protocolVersion: 'x' })).toBe(ada);
  expect(clientKey({ ...hello, clientInfo: { name: 'b', version: '1' } })).not.toBe(ada);
  expect(clientKey({ ...hello, clientInfo: { name: 'a', version: '2' } })).not.toBe(ada);
  expect(clientKey({ ...hello, capabilities: { sampling: {} } })).not.toBe(ada);
});

test('two processes keep what the other wrote', async () => {
  const path = join((await homeInTest()).path, 'lists.json');
  const [one, other] = [createListCache(path, log), createListCache(path, log)];
  expect([one.server(), other.server()]).toEqual([undefined, undefined]);
  await one.remember('tools/list', ada, 'first', tools);
  await other.remember('tools/list', 'other', 'first', tools);
  const both = createListCache(path, log);
  expect(both.list('tools/list', ada, 'first', true)).toEqual(tools);
  expect(both.list('tools/list', 'other', 'first', true)).toEqual(tools);
});

test('a damaged file is an empty one', async () => {
  const home = await homeInTest();
  const cache = createListCache(join(home.path, 'stand-in-browser.mjs'), log);
  expect(cache.server()).toBeUndefined();
  expect(cache.list('tools/list', ada, 'first', true)).toBeUndefined();
});
