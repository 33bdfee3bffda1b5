import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createCounters } from '../src/credentials/counters.ts';
import type { RefreshOutcome } from '../src/oauth/refresh.ts';
import { clockInTest } from './support/clock.ts';
import { collectedLog, folderInTest } from './support/store-in-test.ts';

const renewed: RefreshOutcome = { kind: 'renewed', response: { access_token: 'a', token_type: 'bearer' } };
const rejected = (oauthError: string): RefreshOutcome => ({ kind: 'rejected', oauthError });
const nothing = { refreshes: 0, signIns: 0, tabsOpened: 0, failures: {} };

async function countersInTest() {
  const path = join(await folderInTest(), 'store', 'x.counters.json');
  const clock = clockInTest();
  const { log, lines } = collectedLog();
  return { path, clock, lines, counters: createCounters(path, clock, log) };
}

test('what happened is counted, refreshes by what came of them, with the time of the last failure', async () => {
  const { counters, clock, path } = await countersInTest();
  expect(counters.read()).toEqual(nothing);
  const since = clock.now();
  counters.add('signIns');
  counters.addRefresh(renewed);
  counters.addRefresh(renewed);
  clock.advance(5_000);
  counters.addRefresh(rejected('invalid_grant'));
  counters.addRefresh({ kind: 'refused-for-now', oauthError: 'rate_limited', retryAfter: undefined });
  counters.addRefresh({ kind: 'unknown', why: 'a sentence that may quote anything' });
  counters.addRefresh({ kind: 'not-sent', why: 'ECONNREFUSED' });
  counters.addRefresh({ kind: 'not-sent', why: 'ENOTFOUND' });
  await counters.settled();
  expect(counters.read()).toEqual({
    since,
    refreshes: 2,
    signIns: 1,
    tabsOpened: 0,
    failures: { invalid_grant: 1, rate_limited: 1, unknown: 1, 'not-sent': 2 },
    lastFailure: { code: 'not-sent', at: since + 5_000 },
  });
  expect(await readFile(path, 'utf8')).not.toContain('quote');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a server that invents codes does not make the file grow', async () => {
  const { counters } = await countersInTest();
  for (let nth = 0; nth < 30; nth += 1) counters.addRefresh(rejected(`code_${nth}`));
  counters.addRefresh(rejected('code_3'));
  await counters.settled();
  const { failures } = counters.read();
  expect(Object.keys(failures)).toHaveLength(11);
  expect(failures).toMatchObject({ code_3: 2, other: 20 });
});

test.each(['__proto__', 'constructor', 'toString'])('the code %s is one as any other', async (code) => {
  const { counters } = await countersInTest();
  counters.addRefresh(rejected(code));
  counters.addRefresh(rejected(code));
  await counters.settled();
  expect(Object.entries(counters.read().failures)).toEqual([[code, 2]]);
});

test.each([
  'garbage',
  'null',
  '[]',
  '"text"',
  '{"refreshes":"3","signIns":-1,"tabsOpened":1.5,"since":"yesterday","failures":[null],"lastFailure":7}',
  '{"refreshes":1e400,"failures":{"a sentence\\u001b[2J":1,"fine":"many"},"lastFailure":{"code":{},"at":1}}',
])('bad content counts as none and is mended by the next count: %s', async (content) => {
  const { counters, path, clock, lines } = await countersInTest();
  counters.add('tabsOpened');
  await counters.settled();
  await writeFile(path, content);
  expect(counters.read()).toEqual(nothing);
  counters.add('refreshes');
  await counters.settled();
  expect(counters.read()).toEqual({ ...nothing, refreshes: 1, since: clock.now() });
  expect(lines).toEqual([]);
});

test('what an earlier version counted is kept', async () => {
  const { counters, path, clock } = await countersInTest();
  counters.add('tabsOpened');
  await counters.settled();
  await writeFile(path, '{"tabsOpened":2,"refreshes":7}');
  counters.addRefresh(renewed);
  await counters.settled();
  expect(counters.read()).toEqual({ ...nothing, tabsOpened: 2, refreshes: 8, since: clock.now() });
});
