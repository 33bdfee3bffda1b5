import { expect, test } from 'vitest';
import {
  type SentRefresh,
  withNeedOfReconnect,
  withNewGrant,
  withOutcome,
  withoutGrant,
} from '../src/credentials/grant.ts';
import { fingerprint } from '../src/credentials/record.ts';
import type { RefreshOutcome } from '../src/oauth/refresh.ts';
import { type Connected, connectedRecord, hour, issuedAt, livingOwner, refreshMark } from './support/records.ts';

const now = issuedAt + hour;
const mine = refreshMark({ fingerprint: fingerprint('refresh-1'), owner: { ...livingOwner, nonce: 'mine' } });
const theirs = refreshMark({ owner: { ...livingOwner, nonce: 'theirs' } });
const earlier = refreshMark({ owner: { ...livingOwner, nonce: 'earlier' }, outcome: 'unknown', since: issuedAt });
const sent: SentRefresh = {
  clientId: 'client-1',
  generation: 1,
  refreshToken: 'refresh-1',
  mark: mine,
  earlierMark: undefined,
};

const renewed = (response: object = {}): RefreshOutcome => ({
  kind: 'renewed',
  response: { access_token: 'access-2', refresh_token: 'refresh-2', token_type: 'bearer', expires_in: 60, ...response },
});
const rejected: RefreshOutcome = { kind: 'rejected', oauthError: 'invalid_grant' };
const notSent: RefreshOutcome = { kind: 'not-sent', why: 'ECONNREFUSED' };
const refusedForNow: RefreshOutcome = { kind: 'refused-for-now', oauthError: 'slow_down', retryAfter: undefined };
const unknown: RefreshOutcome = { kind: 'unknown', why: 'cut' };
const marked: Connected = { ...connectedRecord(), refreshUnderWay: mine };

test('renewed tokens replace the mark and the old tokens in one record', () => {
  const record = withOutcome(marked, sent, renewed({ scope: 'less', workspace_name: 'Ada’s' }), now);
  expect(record).not.toHaveProperty('refreshUnderWay');
  expect(record).toMatchObject({
    generation: 2,
    state: 'connected',
    grant: {
      tokens: {
        access_token: 'access-2',
        refresh_token: 'refresh-2',
        scope: 'less',
        issuedAt: now,
        expiresAt: now + 60_000,
      },
      previous: 'refresh-1',
      registration: { client_id: 'client-1' },
      authorizedAt: issuedAt,
      refreshedAt: now,
      identity: { workspace_name: 'Ada’s' },
    },
  });
});

test('the life of a token counts from when it was asked for, however late its answer is written', () => {
  const { grant } = withOutcome(marked, sent, renewed(), mine.since + 3 * hour);
  expect(grant).toMatchObject({
    refreshedAt: mine.since + 3 * hour,
    tokens: { issuedAt: mine.since, expiresAt: mine.since + 60_000 },
  });
});

test('a token that lives shorter than its answer took serves for a moment all the same', () => {
  const now = mine.since + 3_000;
  const { grant } = withOutcome(marked, sent, renewed({ expires_in: 2 }), now);
  expect(grant?.tokens.expiresAt).toBe(now + 2_000);
});

test('what a response leaves out is kept, and a lifetime that it leaves out is an hour', () => {
  const silent = renewed({ refresh_token: undefined, expires_in: undefined });
  expect(withOutcome(marked, sent, silent, now).grant?.tokens).toEqual({
    access_token: 'access-2',
    refresh_token: 'refresh-1',
    scope: 'default',
    issuedAt: now,
    expiresAt: now + hour,
  });
});

test('extra members that look like secrets are not taken for an identity', () => {
  const response = {
    api_token: 'a',
    client_secret: 'b',
    user_key: 'c',
    bot_id: 'd',
    owner: { type: 'user' },
    long: 'x'.repeat(201),
  };
  expect(withOutcome(marked, sent, renewed(response), now).grant?.identity).toEqual({ bot_id: 'd' });
});

test('an answer that comes too late is kept as the alternate', () => {
  const moved = { ...connectedRecord({}, { access_token: 'access-3', refresh_token: 'refresh-3' }), generation: 2 };
  const record = withOutcome({ ...moved, refreshUnderWay: mine }, sent, renewed(), now);
  expect(record).not.toHaveProperty('refreshUnderWay');
  const alternate = { refresh_token: 'refresh-2', client_id: 'client-1', at: now };
  expect(record).toEqual({ ...moved, generation: 3, grant: { ...moved.grant, alternate } });
});

test('an answer for the grant before a sign-in is kept under the client that it belongs to', () => {
  const other = connectedRecord({ registration: { client_id: 'client-2', registeredAt: now } });
  const record = withOutcome(other, sent, renewed(), now);
  expect(record.grant).toMatchObject({
    registration: { client_id: 'client-2' },
    tokens: other.grant.tokens,
    alternate: { client_id: 'client-1', refresh_token: 'refresh-2' },
  });
});

test('an answer after a logout does not sign in again', () => {
  const signedOut = withoutGrant(marked, now);
  expect(withOutcome(signedOut, sent, renewed(), now)).toEqual(signedOut);
});

// A is stopped with its answer unread and loses the lock; B presents the same token, which the server has rotated by
// then, and gives the grant up; A goes on with tokens that nobody rejected.
test('an answer that another process has given up in the meantime connects again', () => {
  const given = withNeedOfReconnect(withOutcome(marked, { ...sent, mark: theirs }, rejected, now), 'invalid_grant');
  expect(given).toMatchObject({ state: 'needs_reconnect', generation: 1 });
  const record = withOutcome(given, sent, renewed(), now);
  expect(record).toMatchObject({
    state: 'connected',
    generation: 2,
    grant: { tokens: { refresh_token: 'refresh-2' } },
  });
  expect(record).not.toHaveProperty('reason');
});

test('an answer does not undo the end of a grant for another reason', () => {
  const moved = withNeedOfReconnect(marked, 'issuer_changed');
  const record = withOutcome(moved, sent, renewed(), now);
  expect(record).toMatchObject({ state: 'needs_reconnect', reason: 'issuer_changed' });
  expect(record.grant?.alternate?.refresh_token).toBe('refresh-2');
});

test('an alternate survives the refresh of another token, and ends with its own', () => {
  const alternate = { refresh_token: 'refresh-9', client_id: 'client-1', at: 1 };
  const record = { ...connectedRecord({ alternate }), refreshUnderWay: mine };
  expect(withOutcome(record, sent, renewed(), now).grant?.alternate).toEqual(alternate);
  const presented = withOutcome(record, { ...sent, refreshToken: 'refresh-9' }, renewed(), now);
  expect(presented.grant).not.toHaveProperty('alternate');
});

test('a rejection ends only the token it was about', () => {
  const record = withOutcome(marked, sent, rejected, now);
  const rejections = [{ fingerprint: fingerprint('refresh-1'), oauthError: 'invalid_grant', at: now }];
  expect(record).toEqual({ ...connectedRecord(), grant: { ...connectedRecord().grant, rejections } });
});

test('a rejection of another client is none of the grant', () => {
  const other = connectedRecord({ registration: { client_id: 'client-2', registeredAt: now } });
  expect(withOutcome(other, sent, rejected, now)).toEqual(other);
});

test('rejections are few', () => {
  const rejections = Array.from({ length: 8 }, (_, at) => ({ fingerprint: `f${at}`, oauthError: 'invalid_grant', at }));
  const record = withOutcome(connectedRecord({ rejections }), sent, rejected, now);
  expect(record.grant?.rejections).toHaveLength(8);
  expect(record.grant?.rejections.at(-1)?.fingerprint).toBe(fingerprint('refresh-1'));
});

test.each([notSent, refusedForNow])('what the server did not act on ($kind) leaves no mark', (outcome) => {
  expect(withOutcome(marked, sent, outcome, now)).toEqual(connectedRecord());
});

test.each([notSent, refusedForNow])('what the server did not act on ($kind) restores the earlier mark', (outcome) => {
  const record = withOutcome(marked, { ...sent, earlierMark: earlier }, outcome, now);
  expect(record).toEqual({ ...connectedRecord(), refreshUnderWay: earlier });
});

test('an unknown outcome keeps the mark and says so', () => {
  expect(withOutcome(marked, sent, unknown, now)).toEqual({
    ...connectedRecord(),
    refreshUnderWay: { ...mine, outcome: 'unknown' },
  });
});

test.each([rejected, notSent, refusedForNow, unknown])('the mark of another process stays ($kind)', (outcome) => {
  const record = { ...connectedRecord(), refreshUnderWay: theirs };
  expect(withOutcome(record, { ...sent, earlierMark: earlier }, outcome, now).refreshUnderWay).toEqual(theirs);
});

test('a sign-in wins over whatever was there', () => {
  const { port: _port, ...issuedBy } = { ...connectedRecord().grant, port: 1 };
  const prepared = { ...issuedBy, port: 1, attempts: [], url: 'https://as.example/authorize' };
  const { tokens: _t, rejections: _r, authorizedAt: _a, refreshedAt: _f, identity: _i, ...rest } = prepared;
  const dead = withNeedOfReconnect(marked, 'invalid_grant');
  const response = { access_token: 'access-9', refresh_token: 'refresh-9', token_type: 'bearer' as const };
  const record = withNewGrant(dead, { prepared: rest, requestedScope: 'asked', response, sentAt: now }, now);
  expect(record).toMatchObject({
    state: 'connected',
    generation: 2,
    grant: { requestedScope: 'asked', tokens: { access_token: 'access-9' }, rejections: [], authorizedAt: now },
    history: [{ client_id: 'client-1', why: 'invalid_grant' }],
  });
  for (const gone of ['reason', 'refreshUnderWay', 'pendingSignIn']) expect(record).not.toHaveProperty(gone);
});
