import { describe, expect, test } from 'vitest';
import { fingerprint, type TokenSet } from '../src/credentials/record.ts';
import { connectionInTest, isRefresh } from './support/connection.ts';
import { knock } from './support/upstream/in-test.ts';
import { register } from './support/upstream/oauth-client.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const ACCEPTED = 400;

describe.each(['lenient', 'strict'] as const)('the tokens of a %s server', (mode) => {
  test('a fresh token costs no request', async () => {
    const { source, record, presented } = await connectionInTest({ mode });
    const { current, tokens } = source();
    expect(await current()).toBe((await record()).grant.tokens.access_token);
    await tokens.maintain(true);
    await tokens.settled();
    expect(presented()).toEqual([]);
  });

  test('an ageing token serves while its refresh is under way', async () => {
    const { upstream, source, record, presented, pass } = await connectionInTest({ mode });
    const { current, tokens } = source();
    const { access_token: old, refresh_token } = (await record()).grant.tokens;
    pass(55 * minute);
    const gate = upstream.faults.hold('token');
    expect(await current()).toBe(old);
    await gate.arrived;
    expect(await record()).toMatchObject({ refreshUnderWay: { fingerprint: fingerprint(refresh_token as string) } });
    expect([await current(), await current()]).toEqual([old, old]);
    expect(await knock(upstream, old)).toBe(ACCEPTED);
    gate.release();
    await tokens.settled();
    const renewed = await current();
    expect(renewed).not.toBe(old);
    expect(await knock(upstream, renewed as string)).toBe(ACCEPTED);
    expect(presented()).toHaveLength(1);
    expect(await record()).not.toHaveProperty('refreshUnderWay');
  });

  test('an expired token is refreshed once, whoever asks, and each process takes the lock once', async () => {
    const { upstream, source, presented, pass, locksTaken } = await connectionInTest({ mode });
    pass(hour);
    const before = await locksTaken();
    const processes = [source(), source(), source(), source()];
    const given = await Promise.all(processes.flatMap(({ current }) => [current(), current()]));
    expect(new Set(given).size).toBe(1);
    expect(await knock(upstream, given[0] as string)).toBe(ACCEPTED);
    expect(presented()).toHaveLength(1);
    expect((await locksTaken()) - before).toBe(processes.length);
  });

  test('a refused token is refreshed once, and a late refusal of it costs nothing', async () => {
    const { upstream, source, presented, pass } = await connectionInTest({ mode });
    const processes = [source(), source()];
    const old = (await processes[0]?.current()) as string;
    pass(10 * minute);
    await upstream.expireAccessTokens();
    expect(await knock(upstream, old)).toBe(401);
    const given = await Promise.all(processes.map(({ current }) => current(fingerprint(old))));
    expect(new Set([...given, await source().current(fingerprint(old))]).size).toBe(1);
    expect(await knock(upstream, given[0] as string)).toBe(ACCEPTED);
    expect(presented()).toHaveLength(1);
  });

  test('a refused token is not given again, whatever its time, while nothing can replace it', async () => {
    const { upstream, source, record, pass } = await connectionInTest({ mode });
    const { tokens, trouble } = source();
    pass(10 * minute);
    upstream.faults.next('token', { kind: 'lose-request' }, { times: Number.POSITIVE_INFINITY });
    const refused = fingerprint((await record()).grant.tokens.access_token);
    await expect(tokens.current({ refused, signal: AbortSignal.abort() })).rejects.toThrow('takes too long');
    // Another request, which knows nothing of the refusal.
    expect((await trouble()).error).toMatchObject({ code: 'AUTHORIZATION_SERVER_UNREACHABLE' });
    // Another process, to which nobody refused it.
    expect(fingerprint((await source().current()) as string)).toBe(refused);
  });

  test('every request is about the resource and comes from the client of the grant', async () => {
    const { upstream, source, clientId, pass } = await connectionInTest({ mode });
    const { current } = source();
    for (let refreshes = 0; refreshes < 3; refreshes += 1) {
      await register(upstream.origin);
      pass(hour);
      await current();
    }
    const requests = upstream.requests.filter(({ grantType }) => grantType === 'refresh_token');
    expect(requests.map((request) => [request.clientId, request.form?.resource])).toEqual(
      [1, 2, 3].map(() => [clientId, upstream.url]),
    );
  });

  test('a response without refresh token keeps the old one', async () => {
    const { upstream, source, record, presented, pass } = await connectionInTest({ mode });
    const before = (await record()).grant.tokens.refresh_token as string;
    pass(hour);
    upstream.faults.next('token', { kind: 'rewrite', json: ({ refresh_token: _token, ...body }) => body });
    const renewed = await source().current();
    expect((await record()).grant.tokens).toMatchObject({ access_token: renewed, refresh_token: before });
    expect(presented()).toEqual([fingerprint(before)]);
  });
});

test('tokens of a few seconds are refreshed ahead, too, one after the other', async () => {
  const { source, presented, pass } = await connectionInTest({ expiresIn: 20 });
  const { tokens, current } = source();
  for (let round = 1; round <= 3; round += 1) {
    pass(16_000);
    await current();
    await tokens.settled();
  }
  expect(presented()).toHaveLength(3);
});

test('a response without lifetime counts as an hour', async () => {
  const { source, record, presented, pass } = await connectionInTest({ expiresIn: null });
  const { current } = source();
  pass(50 * minute);
  await current();
  expect(presented()).toHaveLength(0);
  pass(10 * minute);
  await current();
  expect(presented()).toHaveLength(1);
  const { issuedAt, expiresAt } = (await record()).grant.tokens;
  expect(expiresAt - issuedAt).toBe(hour);
});

test('without any refresh token the access token serves until it is refused, whatever lifetime was assumed', async () => {
  const { store, source, record, presented, clock } = await connectionInTest();
  const withoutRefreshToken = ({ refresh_token: _token, ...tokens }: TokenSet) => tokens;
  await store.update(
    (now) => now.grant && { ...now, grant: { ...now.grant, tokens: withoutRefreshToken(now.grant.tokens) } },
  );
  const { access_token } = (await record()).grant.tokens;
  clock.advance(3 * day);
  const { current, tokens } = source();
  await tokens.maintain(true);
  expect([await current(), await source().current()]).toEqual([access_token, access_token]);
  expect((await record()).state).toBe('connected');
  expect(await current(fingerprint(access_token))).toBeUndefined();
  expect(await record()).toMatchObject({ state: 'needs_reconnect', reason: 'no_refresh_token' });
  expect(presented()).toEqual([]);
});

test('nobody signed in gives no token and no request', async () => {
  const { upstream, store, source, clock } = await connectionInTest();
  await store.update(({ grant: _grant, ...record }) => ({ ...record, state: 'signed_out' }));
  clock.advance(2 * day);
  const { current, tokens } = source();
  expect(await current()).toBeUndefined();
  await tokens.maintain(true);
  expect(upstream.count(isRefresh)).toBe(0);
});

describe('upkeep', () => {
  test('a bridge in use refreshes before expiry, an idle one does not', async () => {
    const { source, presented, pass } = await connectionInTest();
    const { tokens } = source();
    pass(55 * minute);
    await tokens.maintain(false);
    await tokens.settled();
    expect(presented()).toHaveLength(0);
    await tokens.maintain(true);
    await tokens.settled();
    expect(presented()).toHaveLength(1);
  });

  test('an idle bridge refreshes once a day, and one of many does it for all', async () => {
    const { source, presented, pass } = await connectionInTest();
    const processes = [source(), source(), source()];
    const upkeep = () => Promise.all(processes.map(({ tokens }) => tokens.maintain(false)));
    pass(day - minute);
    await upkeep();
    expect(presented()).toHaveLength(0);
    pass(2 * minute);
    await upkeep();
    await upkeep();
    expect(presented()).toHaveLength(1);
    pass(day + minute);
    await upkeep();
    expect(presented()).toHaveLength(2);
  });

  test('two brand-new tokens refused in a row stop the refreshing for ten minutes', async () => {
    const { source, presented, record, pass } = await connectionInTest();
    const { tokens, current } = source();
    pass(10 * minute);
    const refuse = async () => current(fingerprint((await record()).grant.tokens.access_token));
    await refuse();
    await refuse();
    expect(presented()).toHaveLength(2);
    await expect(refuse()).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' });
    // It is upstream that has to mend itself: the next request asks it again.
    expect(await current()).toBe((await record()).grant.tokens.access_token);
    pass(9 * minute);
    await expect(refuse()).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' });
    await tokens.maintain(true);
    await tokens.settled();
    expect(presented()).toHaveLength(2);
    expect(await record()).toMatchObject({ state: 'connected' });
    pass(2 * minute);
    await refuse();
    expect(presented()).toHaveLength(3);
  });

  test('a token that was taken in between, or refused twice itself, is no such row', async () => {
    const { source, presented, record, pass } = await connectionInTest();
    const { tokens, current } = source();
    const signal = new AbortController().signal;
    for (let round = 1; round <= 3; round += 1) {
      pass(10 * minute);
      const token = await tokens.current({ signal });
      await current(token?.fingerprint);
      const brandNew = await tokens.current({ signal });
      if (brandNew) tokens.accepted(brandNew);
      await current(fingerprint((await record()).grant.tokens.access_token));
      expect(presented()).toHaveLength(2 * round);
    }
  });

  test.each([
    { names: 'another issuer', servers: ['https://other.example'], state: 'needs_reconnect' },
    { names: 'the same issuer with a slash', servers: undefined, state: 'connected' },
  ])('refused tokens of a resource that names $names leave it $state', async ({ servers, state }) => {
    const { upstream, source, record, pass } = await connectionInTest();
    const { current } = source();
    pass(10 * minute);
    const refuse = async () => current(fingerprint((await record()).grant.tokens.access_token));
    await refuse();
    await refuse();
    const authorization_servers = servers ?? [`${upstream.origin}/`];
    upstream.faults.next('metadata', { kind: 'rewrite', json: (body) => ({ ...body, authorization_servers }) });
    await refuse().catch(() => undefined);
    expect(await record()).toMatchObject({ state });
  });
});

test('a server that is silent about its issuer does not hold up the answer that its tokens are refused', async () => {
  const { upstream, source, presented } = await connectionInTest();
  const { tokens, current } = source();
  const refused = fingerprint((await current(fingerprint((await current()) as string))) as string);
  const gate = upstream.faults.hold('metadata');
  const bound = new AbortController();
  const answer = tokens.current({ refused, signal: bound.signal });
  answer.catch(() => undefined);
  await gate.arrived;
  bound.abort();
  await expect(answer).rejects.toMatchObject({ code: 'UPSTREAM_REFUSED' });
  gate.release();
  expect(presented()).toHaveLength(1);
});
