import { describe, expect, test } from 'vitest';
import { fingerprint } from '../src/credentials/record.ts';
import { connectionInTest } from './support/connection.ts';
import type { Fault } from './support/upstream/faults.ts';

const minute = 60_000;
const hour = 60 * minute;

const unknowns: Record<string, Fault> = {
  'a lost request': { kind: 'lose-request' },
  'a lost response': { kind: 'lose-response' },
  'a response cut short': { kind: 'cut-after-headers' },
  'a 503 without a word': { kind: 'status', status: 503 },
  'a 500 with an OAuth error': { kind: 'status', status: 500, body: { error: 'invalid_grant' } },
  'a 502 of a gateway': { kind: 'html' },
  'a front page': { kind: 'html', status: 200 },
  'a 400 in HTML': { kind: 'html', status: 400 },
  'half a JSON': { kind: 'garbage-json' },
  'an answer without token': { kind: 'status', status: 200, body: {} },
  'a redirect': { kind: 'status', status: 302, headers: { location: '/elsewhere' } },
};

describe('an outcome that nobody knows', () => {
  test.each(Object.entries(unknowns))('(%s) leaves the token to serve, and the mark', async (_, fault) => {
    const { upstream, source, record, presented, pass } = await connectionInTest();
    const { current, tokens } = source();
    const before = await record();
    pass(55 * minute);
    upstream.faults.next('token', fault);
    expect(await current()).toBe(before.grant.tokens.access_token);
    await tokens.settled();
    const { refreshUnderWay, ...after } = await record();
    expect(after).toEqual(before);
    expect(refreshUnderWay).toMatchObject({ outcome: 'unknown', fingerprint: presented()[0] });
    for (let minutes = 0; minutes < 4; minutes += 1) {
      pass(minute);
      expect(await current()).toBe(before.grant.tokens.access_token);
      expect(await source().current()).toBe(before.grant.tokens.access_token);
      await tokens.settled();
    }
    expect(presented()).toHaveLength(1);
  });

  test('costs no lock for each request meanwhile', async () => {
    const { upstream, source, pass, locksTaken } = await connectionInTest();
    const { current, tokens } = source();
    pass(55 * minute);
    upstream.faults.next('token', { kind: 'lose-response' });
    await current();
    await tokens.settled();
    pass(minute);
    const before = await locksTaken();
    for (let requests = 0; requests < 5; requests += 1) {
      await current();
      await tokens.settled();
    }
    expect((await locksTaken()) - before).toBe(1);
  });

  test('is survived at a lenient server without a sign-in', async () => {
    const { upstream, source, record, presented, pass } = await connectionInTest({ mode: 'lenient' });
    pass(hour);
    const before = (await record()).grant.tokens;
    upstream.faults.next('token', { kind: 'lose-response' });
    const { error, waits } = await source().trouble();
    expect(error).toMatchObject({ code: 'AUTHORIZATION_SERVER_UNREACHABLE' });
    expect(waits).toBe(375);
    pass(waits as number);
    expect(await source().current()).not.toBe(before.access_token);
    const [first, ...others] = presented();
    expect(first).toBe(fingerprint(before.refresh_token as string));
    expect(others).toEqual([first]);
    expect(await record()).toMatchObject({ state: 'connected', generation: 2 });
  });

  test('ends the grant of a strict server only after its own rejection', async () => {
    const { upstream, source, record, presented, pass } = await connectionInTest({ mode: 'strict' });
    const { current, tokens } = source();
    pass(55 * minute);
    upstream.faults.next('token', { kind: 'lose-response' });
    await current();
    await tokens.settled();
    expect(await upstream.grants()).toHaveLength(1);
    expect(await record()).toMatchObject({ state: 'connected' });
    pass(5 * minute);
    expect(await current()).toBeUndefined();
    expect(presented()).toHaveLength(2);
    expect(await record()).toMatchObject({ state: 'needs_reconnect', reason: 'invalid_grant' });
    expect(await upstream.grants()).toEqual([]);
    expect(await source().current()).toBeUndefined();
    expect(presented()).toHaveLength(2);
  });

  test('that this very process could not write down is nothing to wait for', async () => {
    const { store, source, record, presented, pass, clock } = await connectionInTest();
    pass(hour);
    const { refresh_token = '' } = (await record()).grant.tokens;
    const mark = { fingerprint: fingerprint(refresh_token), owner: store.processes.newOwner(), since: clock.now() };
    await store.update((now) => ({ ...now, refreshUnderWay: mark }));
    await source().current();
    expect(presented()).toEqual([fingerprint(refresh_token)]);
  });

  /** The token endpoint has rotated, and keeps the answer. */
  async function answerKept() {
    const connection = await connectionInTest({ mode: 'strict' });
    const { upstream, source, pass } = connection;
    pass(55 * minute);
    const { current, tokens } = source();
    const gate = upstream.faults.hold('token', { handled: true });
    await current();
    await gate.arrived;
    return { ...connection, tokens, gate };
  }

  test('of a request is waited for up to a minute, and a last second', async () => {
    const { record, clock, tokens, gate } = await answerKept();
    clock.advance(minute);
    await clock.untilSleeps(1_000);
    clock.advance(1_000);
    await tokens.settled();
    gate.release();
    expect(await record()).toMatchObject({ generation: 1, refreshUnderWay: { outcome: 'unknown' } });
  });

  test.each([
    { when: 'until just before the minute was over', ran: 0, stood: minute - 1 },
    { when: 'for much longer than that', ran: 0, stood: 10 * hour },
    { when: 'in the last second', ran: minute, stood: 10 * hour },
  ])('is none when the process stood still $when: the answer is read first', async ({ ran, stood }) => {
    const { record, clock, tokens, gate } = await answerKept();
    clock.advance(ran);
    if (ran > 0) await clock.untilSleeps(1_000);
    gate.release();
    // Timers that are due run before the socket is read.
    clock.advance(stood);
    await tokens.settled();
    expect(await record()).toMatchObject({ generation: 2, state: 'connected' });
  });
});

const refusals: Record<string, { fault: Fault; waits: number }> = {
  'a 429': { fault: { kind: 'status', status: 429, headers: { 'retry-after': '7' } }, waits: 7_000 },
  'a 429 for a year': {
    fault: { kind: 'status', status: 429, headers: { 'retry-after': '31536000' } },
    waits: hour,
  },
  'a 429 in HTML, without a time': { fault: { kind: 'html', status: 429 }, waits: 375 },
  'a temporarily_unavailable': {
    fault: { kind: 'status', status: 503, body: { error: 'temporarily_unavailable' }, headers: { 'retry-after': '9' } },
    waits: 9_000,
  },
  'another OAuth error': { fault: { kind: 'status', status: 400, body: { error: 'invalid_request' } }, waits: 375 },
  'a JSON error of a gateway': { fault: { kind: 'status', status: 403, body: { message: 'Forbidden' } }, waits: 375 },
};

describe('what the server did not serve', () => {
  test.each(Object.entries(refusals))('(%s) changes nothing and is tried again later', async (_, { fault, waits }) => {
    const { upstream, source, record, pass, presented } = await connectionInTest();
    pass(hour);
    const before = await record();
    upstream.faults.next('token', fault);
    const asker = source();
    const trouble = await asker.trouble();
    expect(trouble).toMatchObject({ waits, error: { code: 'AUTHORIZATION_SERVER_UNREACHABLE' } });
    expect(await record()).toEqual(before);
    pass(waits);
    expect(await asker.current()).not.toBe(before.grant.tokens.access_token);
    expect(presented()).toHaveLength(2);
  });

  test('because it was not reached changes nothing and is tried again later', async () => {
    const { upstream, source, record, pass } = await connectionInTest();
    pass(hour);
    const before = await record();
    await upstream.stop();
    const asker = source();
    const trouble = await asker.trouble();
    expect(trouble).toMatchObject({ waits: 375, error: { code: 'AUTHORIZATION_SERVER_UNREACHABLE' } });
    expect(await record()).toEqual(before);
    await upstream.start();
    pass(375);
    expect(await asker.current()).not.toBe(before.grant.tokens.access_token);
  });

  test('for one process is no reason to wait once another has a new token', async () => {
    // regression: a call that waited out its Retry-After did not look at the record, and failed beside a fresh token
    const { upstream, source, pass } = await connectionInTest();
    pass(hour);
    upstream.faults.next('token', { kind: 'status', status: 429, headers: { 'retry-after': '3600' } });
    const asked = source().current();
    await upstream.waitFor({ endpoint: 'token', status: 429 });
    const renewed = await source().current();
    expect(await asked).toBe(renewed);
  });

  test('while the token was only ageing is not tried again sooner because it ended', async () => {
    const { upstream, source, pass } = await connectionInTest();
    pass(55 * minute);
    const { current, tokens, trouble } = source();
    upstream.faults.next('token', { kind: 'status', status: 429, headers: { 'retry-after': '600' } });
    await current();
    await tokens.settled();
    pass(5 * minute);
    expect(await trouble()).toMatchObject({ waits: 300_000 });
  });

  test('because it was not reached is tried again every few seconds, as long as a call may wait', async () => {
    const { upstream, source, pass, clock } = await connectionInTest();
    pass(hour);
    await upstream.stop();
    const asked = source().current();
    const waits: (number | undefined)[] = [];
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const slept = await clock.untilSleeps(30_000, asked);
      waits.push(slept);
      if (attempt === 5) await upstream.start();
      clock.advance(slept as number);
    }
    expect(waits).toEqual([375, 750, 1_500, 3_000, 3_000, 3_000]);
    expect(await asked).toBeDefined();
  });

  test('again and again is tried less and less often', async () => {
    const { upstream, source, pass, clock } = await connectionInTest();
    pass(hour);
    upstream.faults.next('token', { kind: 'status', status: 429 }, { times: 8 });
    const asked = source().current();
    const waits: (number | undefined)[] = [];
    for (let refusal = 0; refusal < 8; refusal += 1) {
      const slept = await clock.untilSleeps(30_000, asked);
      waits.push(slept);
      clock.advance(slept as number);
    }
    expect(waits).toEqual([375, 750, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500]);
    expect(await asked).toBeDefined();
  });

  test('is tried again in time although somebody sets the clock back', async () => {
    const { upstream, source, pass, clock } = await connectionInTest();
    pass(hour + 10 * minute);
    upstream.faults.next('token', { kind: 'status', status: 429 });
    const asker = source();
    await asker.trouble();
    clock.step(-5 * minute);
    const asked = asker.current();
    expect(await clock.untilSleeps((ms) => ms !== minute, asked)).toBe(375);
    clock.advance(375);
    expect(await asked).toBeDefined();
  });

  test('before it was not even asked leaves an earlier mark in place', async () => {
    const { upstream, source, record, pass } = await connectionInTest();
    const { current, tokens, trouble } = source();
    pass(55 * minute);
    upstream.faults.next('token', { kind: 'lose-response' });
    await current();
    await tokens.settled();
    const { refreshUnderWay } = await record();
    pass(5 * minute);
    await upstream.stop();
    await trouble();
    expect((await record()).refreshUnderWay).toEqual(refreshUnderWay);
    await upstream.start();
  });
});
