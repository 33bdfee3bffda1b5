import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fingerprint, type Grant } from '../src/credentials/record.ts';
import { connectionInTest, isRefresh } from './support/connection.ts';
import { fillUp } from './support/mount.ts';
import { mountSmall } from './support/mount-in-test.ts';
import { refresh } from './support/upstream/oauth-client.ts';

const minute = 60_000;
const hour = 60 * minute;

describe('a rejection', () => {
  test('is recorded, and no process sends that token again', async () => {
    const { upstream, source, record, presented, pass } = await connectionInTest();
    pass(hour);
    const { tokens } = (await record()).grant;
    await upstream.revokeGrants();
    expect(await source().current()).toBeUndefined();
    expect(await source().current()).toBeUndefined();
    const [only, ...others] = presented();
    expect([only, others]).toEqual([fingerprint(tokens.refresh_token as string), []]);
    const after = await record();
    expect(after).toMatchObject({ state: 'needs_reconnect', reason: 'invalid_grant', generation: 1 });
    expect(after.grant).toMatchObject({ tokens, rejections: [{ fingerprint: only, oauthError: 'invalid_grant' }] });
  });

  test('of the client ends nothing while the access token works', async () => {
    const { upstream, source, record, presented, pass } = await connectionInTest();
    pass(55 * minute);
    const { access_token } = (await record()).grant.tokens;
    await upstream.deleteClients();
    const { current, tokens } = source();
    for (const other of [current, source().current, current]) {
      expect(await other()).toBe(access_token);
      await tokens.settled();
      pass(minute);
    }
    expect(presented()).toHaveLength(1);
    expect(await record()).toMatchObject({
      state: 'connected',
      grant: { rejections: [{ oauthError: 'invalid_client' }] },
    });
    pass(5 * minute);
    expect(await current()).toBeUndefined();
    expect(presented()).toHaveLength(1);
    expect(await record()).toMatchObject({ state: 'needs_reconnect', reason: 'invalid_client' });
  });

  test.each([
    { times: 1, state: 'connected', rejections: 0 },
    { times: 2, state: 'needs_reconnect', rejections: 1 },
  ])('of a young token counts when it comes $times time(s): $state', async ({ times, state, rejections }) => {
    const { upstream, source, clock, record, presented } = await connectionInTest();
    const { access_token } = (await record()).grant.tokens;
    upstream.faults.next('token', { kind: 'status', status: 400, body: { error: 'invalid_grant' } }, { times });
    const asked = source().current(fingerprint(access_token));
    expect(await clock.untilSleeps(30_000, asked)).toBe(1_500);
    clock.advance(1_500);
    await asked;
    const [first, second, ...others] = presented();
    expect([second, others]).toEqual([first, []]);
    const after = await record();
    expect(after.state).toBe(state);
    expect(after.grant.rejections).toHaveLength(rejections);
  });
});

describe('when the refresh token is rejected and the access token has ended', () => {
  const lost = (token: string): Partial<Grant> => ({ previous: `${token}previous` });

  async function withOtherTokens(change: (real: string, clientId: string) => Partial<Grant>) {
    const connection = await connectionInTest();
    connection.pass(hour);
    await connection.store.update((record) => {
      if (!record.grant) return undefined;
      const real = record.grant.tokens.refresh_token as string;
      const tokens = { ...record.grant.tokens, refresh_token: `${real}rejected` };
      return { ...record, grant: { ...record.grant, tokens, ...change(real, connection.clientId) } };
    });
    return connection;
  }

  test('the alternate is tried', async () => {
    const { source, record, presented } = await withOtherTokens((real, client_id) => ({
      ...lost(real),
      alternate: { refresh_token: real, client_id, at: 0 },
    }));
    expect(await source().current()).toBeDefined();
    expect(presented()).toHaveLength(2);
    expect((await record()).grant).not.toHaveProperty('alternate');
  });

  test('the previous one is tried', async () => {
    const { source, record, presented } = await withOtherTokens((previous) => ({ previous }));
    expect(await source().current()).toBeDefined();
    expect(presented()).toHaveLength(2);
    expect(await record()).toMatchObject({ state: 'connected' });
  });

  test('each is tried once, by all processes together', async () => {
    const { source, record, presented } = await withOtherTokens((real, client_id) => ({
      ...lost(real),
      alternate: { refresh_token: `${real}alternate`, client_id, at: 0 },
    }));
    const given = await Promise.all([source(), source(), source()].map(({ current }) => current()));
    expect(given).toEqual([undefined, undefined, undefined]);
    expect(presented()).toHaveLength(3);
    expect(new Set(presented()).size).toBe(3);
    expect(await record()).toMatchObject({ state: 'needs_reconnect' });
  });

  test("another client's alternate is not", async () => {
    const { source, presented } = await withOtherTokens((real) => ({
      alternate: { refresh_token: real, client_id: 'another', at: 0 },
    }));
    expect(await source().current()).toBeUndefined();
    expect(presented()).toHaveLength(1);
  });

  test('a rotation whose answer never came is made good', async () => {
    const { upstream, store, source, clientId, record, pass, presented } = await connectionInTest();
    const { refresh_token } = (await record()).grant.tokens;
    const first = await refresh(upstream.origin, clientId, refresh_token as string);
    const alternate = { refresh_token: first.tokens.refresh_token, client_id: clientId, at: 0 };
    await refresh(upstream.origin, clientId, first.tokens.refresh_token);
    await store.update((old) => (old.grant ? { ...old, grant: { ...old.grant, alternate } } : undefined));
    pass(hour);
    expect(await source().current()).toBeDefined();
    expect(presented().slice(-2)).toEqual([refresh_token as string, alternate.refresh_token].map(fingerprint));
  });
});

describe('a store that cannot be written', () => {
  /** With room for a lock and not for the record, once it is filled. */
  async function withSmallDisk() {
    let mounted = false;
    const connection = await connectionInTest({
      prepare: (folder) => {
        mounted = mountSmall(folder, '128k');
      },
    });
    await connection.store.update((record) => ({ ...record, padding: 'x'.repeat(40_000) }));
    const filler = join(connection.folder, 'filler');
    const fill = () => fillUp(filler, 16_384);
    return { ...connection, mounted, fill, free: () => writeFile(filler, '') };
  }

  test('sends no refresh, and the old token serves to its end', async (context) => {
    const { mounted, fill, free, source, record, presented, pass } = await withSmallDisk();
    if (!mounted) context.skip('cannot mount here');
    const { current, tokens } = source();
    const { access_token } = (await record()).grant.tokens;
    await fill();
    pass(55 * minute);
    expect(await current()).toBe(access_token);
    await tokens.settled();
    pass(5 * minute);
    await expect(current()).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
    expect(presented()).toEqual([]);
    expect(await record()).toMatchObject({ state: 'connected', grant: { tokens: { access_token } } });
    await free();
    pass(minute);
    expect(await current()).not.toBe(access_token);
    expect(presented()).toHaveLength(1);
  });

  test('keeps an answer until it can be written, and gives it to nobody before', async (context) => {
    const { mounted, fill, free, upstream, source, record, pass } = await withSmallDisk();
    if (!mounted) context.skip('cannot mount here');
    const { current } = source();
    const { access_token } = (await record()).grant.tokens;
    pass(hour);
    const gate = upstream.faults.hold('token', { handled: true });
    const asked = current();
    await gate.arrived;
    await fill();
    gate.release();
    await expect(asked).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
    expect((await record()).grant.tokens.access_token).toBe(access_token);
    await free();
    pass(minute);
    expect(await current()).toBe((await record()).grant.tokens.access_token);
    expect(await record()).toMatchObject({ generation: 2 });
    expect(upstream.count(isRefresh)).toBe(1);
  });

  // The others hold the token that it replaced, and a strict server ends the grant when they present that.
  test('is written as soon as it can be, although nobody asks this process again', async (context) => {
    const { mounted, fill, free, upstream, source, store, clock, pass } = await withSmallDisk();
    if (!mounted) context.skip('cannot mount here');
    const { current, tokens } = source();
    pass(hour);
    const gate = upstream.faults.hold('token', { handled: true });
    const asked = current();
    await gate.arrived;
    await fill();
    gate.release();
    await expect(asked).rejects.toMatchObject({ code: 'CREDENTIALS_UNREADABLE' });
    await clock.untilSleeps((ms) => ms === 1_000);
    await free();
    const stored = store.waitFor(({ generation }) => generation === 2, AbortSignal.timeout(10_000));
    clock.advance(1_000);
    expect(await stored).toMatchObject({ state: 'connected' });
    await tokens.close();
  });
});
