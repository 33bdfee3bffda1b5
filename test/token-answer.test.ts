import { describe, expect, test } from 'vitest';
import { connectionInTest } from './support/connection.ts';
import { openedTab } from './support/opened-tab.ts';
import { approve } from './support/upstream/browser.ts';

const hour = 3_600_000;
// oauth4webapi refuses each of these, and a strict server revokes the grant when the refresh token is presented again.
const oddities = [
  { expires_in: null },
  { expires_in: -1 },
  { expires_in: 0 },
  { expires_in: 'never' },
  { scope: null },
  { scope: ['default'] },
  { token_type: undefined },
  { refresh_token: '' },
  { refresh_token: null },
  { id_token: 'not a token' },
];

describe('a successful token answer is kept, whatever else is odd about it (P4)', () => {
  test.each(oddities)('a renewal with %j', async (oddity) => {
    const { upstream, source, record, presented, pass } = await connectionInTest({ mode: 'strict' });
    const before = (await record()).grant.tokens.access_token;
    pass(hour);
    upstream.faults.next('token', { kind: 'rewrite', json: (body) => ({ ...body, ...oddity }) });
    const { current, lines } = source();
    const renewed = await current();
    expect(renewed).not.toBe(before);
    const { access_token, issuedAt, expiresAt, refresh_token } = (await record()).grant.tokens;
    expect({ access_token, lifetime: expiresAt - issuedAt }).toEqual({ access_token: renewed, lifetime: hour });
    expect(refresh_token).toEqual(expect.stringMatching(/./));
    expect([presented().length, lines.join()]).toEqual([1, expect.not.stringContaining(renewed as string)]);
  });

  test('a lifetime beyond all dates is one that status can still show', async () => {
    const { upstream, source, record, pass } = await connectionInTest();
    pass(hour);
    upstream.faults.next('token', { kind: 'rewrite', json: (body) => ({ ...body, expires_in: 1e300 }) });
    await source().current();
    expect(new Date((await record()).grant.tokens.expiresAt).getUTCFullYear()).toBeLessThan(3000);
  });

  test('a sign-in with an ID token that cannot be checked', async () => {
    const { upstream, call, url } = await openedTab();
    upstream.faults.next('token', {
      kind: 'rewrite',
      json: (body) => ({ ...body, id_token: 'not a token', scope: null }),
    });
    expect((await approve(url)).body).toContain('Connected');
    expect(await call).toMatchObject({ isError: false });
  });
});

test('an error that quotes the refresh token reaches neither the log nor the message', async () => {
  const { upstream, source, record, pass } = await connectionInTest();
  const { refresh_token } = (await record()).grant.tokens;
  pass(hour);
  const error = `what is ${refresh_token}`;
  upstream.faults.next('token', { kind: 'status', status: 400, body: { error } });
  const { trouble, lines } = source();
  const said = `${String((await trouble()).error)} ${lines.join()}`;
  expect(said).toContain('unreadable_error');
  expect(said).not.toContain(refresh_token);
});
