import { describe, expect, test } from 'vitest';
import { knock, upstreamInTest } from './in-test.ts';
import { authorizationRequest, refresh, signIn } from './oauth-client.ts';

const DAY = 24 * 3600_000;
const ACCEPTED = 400;

describe('lenient', () => {
  test('the token presented last works again, and the access tokens before it stay', async () => {
    const upstream = await upstreamInTest({ mode: 'lenient' });
    const { clientId, tokens } = await signIn(upstream.origin);
    await refresh(upstream.origin, clientId, tokens.refresh_token);
    expect((await refresh(upstream.origin, clientId, tokens.refresh_token)).status).toBe(200);
    expect(await knock(upstream, tokens.access_token)).toBe(ACCEPTED);
  });

  test('of two concurrent refreshes the first winner holds a dead refresh token', async () => {
    const { origin } = await upstreamInTest({ mode: 'lenient' });
    const { clientId, tokens } = await signIn(origin);
    const first = await refresh(origin, clientId, tokens.refresh_token);
    const second = await refresh(origin, clientId, tokens.refresh_token);
    expect(await refresh(origin, clientId, first.tokens.refresh_token)).toMatchObject({ error: 'invalid_grant' });
    expect((await refresh(origin, clientId, second.tokens.refresh_token)).status).toBe(200);
  });
});

describe('strict', () => {
  test('a rotated refresh token that is presented again revokes the grant', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    const first = await refresh(upstream.origin, clientId, tokens.refresh_token);
    const again = await refresh(upstream.origin, clientId, tokens.refresh_token);
    expect(again).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect(await knock(upstream, first.tokens.access_token)).toBe(401);
    expect(await refresh(upstream.origin, clientId, first.tokens.refresh_token)).toMatchObject({
      error: 'invalid_grant',
    });
    expect(await upstream.grants()).toEqual([]);
  });

  test('a much older refresh token revokes the grant, too', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    const first = await refresh(upstream.origin, clientId, tokens.refresh_token);
    await refresh(upstream.origin, clientId, first.tokens.refresh_token);
    await refresh(upstream.origin, clientId, tokens.refresh_token);
    expect(await upstream.grants()).toEqual([]);
  });

  test('each refresh ends the access tokens before it', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    const other = await signIn(upstream.origin);
    const first = await refresh(upstream.origin, clientId, tokens.refresh_token);
    expect(await knock(upstream, tokens.access_token)).toBe(401);
    expect(await knock(upstream, first.tokens.access_token)).toBe(ACCEPTED);
    expect(await knock(upstream, other.tokens.access_token)).toBe(ACCEPTED);
  });

  test('of two concurrent refreshes one is answered and the other revokes the grant', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    const racers = [1, 2].map(() => refresh(upstream.origin, clientId, tokens.refresh_token));
    expect((await Promise.all(racers)).map(({ status }) => status).sort()).toEqual([200, 400]);
    expect(await upstream.grants()).toEqual([]);
  });

  test('a client that fails to authenticate does not end the grant', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    await refresh(upstream.origin, clientId, tokens.refresh_token);
    await upstream.deleteClients();
    expect(await refresh(upstream.origin, clientId, tokens.refresh_token)).toMatchObject({ error: 'invalid_client' });
    expect(await upstream.grants()).toHaveLength(1);
  });

  test('a rotation is remembered over a restart', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    await refresh(upstream.origin, clientId, tokens.refresh_token);
    await upstream.restart();
    expect((await refresh(upstream.origin, clientId, tokens.refresh_token)).status).toBe(400);
  });
});

describe('time', () => {
  test('an access token ends with its lifetime and the clock is not shared', async () => {
    const [upstream, neighbour] = [await upstreamInTest({ accessTokenTtl: 600 }), await upstreamInTest()];
    const mine = await signIn(upstream.origin);
    const theirs = await signIn(neighbour.origin);
    expect(mine.tokens.expires_in).toBe(600);
    upstream.clock.advance(590_000);
    expect(await knock(upstream, mine.tokens.access_token)).toBe(ACCEPTED);
    upstream.clock.advance(11_000);
    expect(await knock(upstream, mine.tokens.access_token)).toBe(401);
    expect(await knock(neighbour, theirs.tokens.access_token)).toBe(ACCEPTED);
  });

  test('a grant ends 30 days after the exchange, however often it is refreshed', async () => {
    const { origin, clock } = await upstreamInTest();
    const { clientId, tokens } = await signIn(origin);
    clock.advance(29 * DAY);
    const late = await refresh(origin, clientId, tokens.refresh_token);
    expect(late.status).toBe(200);
    clock.advance(DAY);
    expect(await refresh(origin, clientId, late.tokens.refresh_token)).toMatchObject({ error: 'invalid_grant' });
  });

  test('an idle lifetime moves the end of a grant with each refresh', async () => {
    const { origin, clock } = await upstreamInTest({ refreshTokenIdleTtl: (30 * DAY) / 1000 });
    const { clientId, tokens } = await signIn(origin);
    clock.advance(29 * DAY);
    const late = await refresh(origin, clientId, tokens.refresh_token);
    clock.advance(29 * DAY);
    expect((await refresh(origin, clientId, late.tokens.refresh_token)).status).toBe(200);
  });

  test('a registration that is not used ends after 90 days', async () => {
    const { origin, clock } = await upstreamInTest({ refreshTokenTtl: (365 * DAY) / 1000 });
    const { clientId, tokens } = await signIn(origin);
    clock.advance(91 * DAY);
    expect(await refresh(origin, clientId, tokens.refresh_token)).toMatchObject({
      status: 401,
      error: 'invalid_client',
    });
  });

  test('time cannot be turned back', async () => {
    const { clock } = await upstreamInTest();
    expect(() => clock.advance(-1)).toThrow(RangeError);
  });
});

describe('interventions', () => {
  test('expireAccessTokens ends access tokens and leaves the grant', async () => {
    const upstream = await upstreamInTest();
    const { clientId, tokens } = await signIn(upstream.origin);
    expect(await upstream.expireAccessTokens()).toBe(1);
    expect(await knock(upstream, tokens.access_token)).toBe(401);
    expect((await refresh(upstream.origin, clientId, tokens.refresh_token)).status).toBe(200);
  });

  test('revokeGrants ends the chosen grants', async () => {
    const upstream = await upstreamInTest();
    const [mine, theirs] = [await signIn(upstream.origin), await signIn(upstream.origin)];
    expect(await upstream.revokeGrants(({ clientId }) => clientId === mine.clientId)).toBe(1);
    expect(await refresh(upstream.origin, mine.clientId, mine.tokens.refresh_token)).toMatchObject({
      error: 'invalid_grant',
    });
    expect(await knock(upstream, mine.tokens.access_token)).toBe(401);
    expect((await upstream.grants()).map(({ clientId }) => clientId)).toEqual([theirs.clientId]);
  });

  test('deleteClients makes registrations unknown and leaves access tokens', async () => {
    const upstream = await upstreamInTest();
    const { clientId, tokens } = await signIn(upstream.origin);
    expect(await upstream.deleteClients()).toBe(1);
    expect(await refresh(upstream.origin, clientId, tokens.refresh_token)).toMatchObject({
      status: 401,
      error: 'invalid_client',
    });
    expect((await fetch(authorizationRequest(upstream.origin, clientId).url, { redirect: 'manual' })).status).toBe(400);
    expect(await knock(upstream, tokens.access_token)).toBe(ACCEPTED);
  });

  test('expiresIn is what responses claim, whatever is true', async () => {
    const lying = await upstreamInTest({ expiresIn: 5 });
    expect((await signIn(lying.origin)).tokens.expires_in).toBe(5);
    const silent = await upstreamInTest({ expiresIn: null });
    expect((await signIn(silent.origin)).tokens).not.toHaveProperty('expires_in');
  });
});
