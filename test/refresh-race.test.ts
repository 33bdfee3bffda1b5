import { renameSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Store } from '../src/credentials/store.ts';
import { type ConnectionInTest, connectionInTest } from './support/connection.ts';
import { startProcess } from './support/other-process.ts';
import { openStore } from './support/store-in-test.ts';
import type { TokenVerbs } from './support/token-process.ts';
import { knock } from './support/upstream/in-test.ts';

const minute = 60_000;
const hour = 60 * minute;
const ACCEPTED = 400;

/** A process of its own, in the time of the connection. */
function processOf({ folder, upstream, clock }: ConnectionInTest) {
  const ahead = clock.now() - Date.now();
  return startProcess<TokenVerbs>('token-process', folder, upstream.url, String(ahead));
}

describe.each(['lenient', 'strict'] as const)('processes at a %s server', (mode) => {
  test('that need a token at once make one refresh, and all have its result', async () => {
    const connection = await connectionInTest({ mode });
    const { upstream, presented, pass } = connection;
    pass(hour);
    const processes = await Promise.all([1, 2, 3].map(() => processOf(connection)));
    const given = await Promise.all(processes.flatMap((other) => [other.ask('current'), other.ask('current')]));
    expect(new Set(given).size).toBe(1);
    expect(await knock(upstream, given[0] as string)).toBe(ACCEPTED);
    expect(presented()).toHaveLength(1);
  });

  test('one killed while the server has its request leaves the token to serve its time', async () => {
    const connection = await connectionInTest({ mode });
    const { upstream, source, record, presented, pass } = connection;
    pass(55 * minute);
    const gate = upstream.faults.hold('token');
    const other = await processOf(connection);
    const { access_token } = (await record()).grant.tokens;
    expect(await other.ask('current')).toBe(access_token);
    await gate.arrived;
    await other.kill();
    const { current, tokens } = source();
    expect(await current()).toBe(access_token);
    await tokens.settled();
    expect(presented()).toHaveLength(1);
    expect(await record()).toMatchObject({ state: 'connected', refreshUnderWay: { owner: { pid: other.pid } } });
    gate.release();
  });
});

test.each([
  { mode: 'lenient', ends: 'without a sign-in' },
  { mode: 'strict', ends: "by the server's own rejection" },
] as const)('a process killed after a $mode server rotated ends $ends', async ({ mode }) => {
  const connection = await connectionInTest({ mode });
  const { upstream, source, record, presented, pass } = connection;
  pass(hour);
  const other = await processOf(connection);
  const gate = upstream.faults.hold('token', { handled: true });
  const asked = other.ask('current');
  await gate.arrived;
  await other.kill();
  await expect(asked).rejects.toThrow('ended');
  gate.release();
  const given = await source().current();
  const [first, ...others] = presented();
  expect(others).toEqual([first]);
  if (mode === 'lenient') {
    expect(await knock(upstream, given as string)).toBe(ACCEPTED);
    expect(await record()).toMatchObject({ state: 'connected' });
  } else {
    expect(given).toBeUndefined();
    expect(await record()).toMatchObject({ state: 'needs_reconnect', reason: 'invalid_grant' });
  }
});

test('a process that stood still and lost the lock brings its answer home, and the waiting one takes it', async () => {
  const connection = await connectionInTest({ mode: 'strict' });
  const { upstream, folder, clock, source, presented, pass } = connection;
  pass(hour);
  const other = await processOf(connection);
  const gate = upstream.faults.hold('token', { handled: true });
  const theirs = other.ask('current');
  await gate.arrived;
  await other.stop();
  // The mark that it left is of its own clock, which went on meanwhile.
  clock.advance(10_000);
  const mine = source(openStore(folder, upstream.url, clock).store).current();
  for (let looks = 0; looks < 40; looks += 1) {
    await clock.untilSleeps(250);
    clock.advance(250);
  }
  gate.release();
  other.resume();
  const given = await theirs;
  while ((await clock.untilSleeps(250, mine)) !== undefined) clock.advance(250);
  expect(await mine).toBe(given);
  expect(presented()).toHaveLength(1);
});

test('a process that is robbed between its mark and its request sends nothing, and takes the mark back', async () => {
  const { upstream, store, source, record, presented, pass, clock } = await connectionInTest({ mode: 'strict' });
  pass(hour);
  let robberies = 0;
  const robbed: Store = {
    ...store,
    locked: (work, signal) =>
      store.locked(async (held) => {
        const write: typeof held.write = async (marked) => {
          await held.write(marked);
          if (robberies++ === 0) renameSync(`${store.path}.lock`, `${store.path}.lock.grave-${held.lock.owner.nonce}`);
        };
        return work({ ...held, write });
      }, signal),
  };
  const { trouble, current } = source(robbed);
  await trouble();
  expect([presented(), await record()]).toEqual([
    [],
    expect.not.objectContaining({ refreshUnderWay: expect.anything() }),
  ]);
  clock.advance(1_000);
  expect(await knock(upstream, (await current()) as string)).toBe(ACCEPTED);
  expect(presented()).toHaveLength(1);
});
