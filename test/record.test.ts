import { describe, expect, test } from 'vitest';
import { parseRecord } from '../src/credentials/parse-record.ts';
import {
  authorizationOf,
  covers,
  emptyRecord,
  endGrant,
  expectedEnd,
  fingerprint,
  isBrandNew,
  isConnected,
  needOf,
  schemaVersion,
} from '../src/credentials/record.ts';
import { connectedRecord, hour, issuedAt, livingOwner, refreshMark, upstreamUrl } from './support/records.ts';

describe('parsing', () => {
  test('a sound record is given as it is, unknown members included', () => {
    const record = { ...connectedRecord(), refreshUnderWay: refreshMark(), future: [1] };
    expect(parseRecord(record)).toEqual({ kind: 'record', record });
    expect(parseRecord(emptyRecord(upstreamUrl))).toMatchObject({ kind: 'record' });
  });

  test('a pending sign-in is sound with and without its preparation', () => {
    const { grant } = connectedRecord();
    const pending = { id: 'a', need: 'first', since: 1, owner: livingOwner };
    const attempts = [{ state: 'one', codeVerifier: 'two' }];
    const prepared = { ...grant, port: 1, url: 'https://as.example/authorize', attempts };
    for (const pendingSignIn of [pending, { ...pending, prepared }]) {
      expect(parseRecord({ ...emptyRecord(upstreamUrl), pendingSignIn })).toMatchObject({ kind: 'record' });
    }
  });

  test('a newer schema is told apart from damage, whatever else it holds', () => {
    expect(parseRecord({ schema: schemaVersion + 1 })).toEqual({ kind: 'newer' });
    expect(parseRecord({ schema: schemaVersion })).toEqual({ kind: 'damaged' });
  });
});

test('a fingerprint is short, stable, and not the token', () => {
  expect(fingerprint('secret')).toBe('2bb80d537b1d');
  expect(fingerprint('secret2')).not.toBe(fingerprint('secret'));
});

test('only a record with a grant that nobody ended is connected', () => {
  expect(isConnected(connectedRecord())).toBe(true);
  expect(isConnected({ ...connectedRecord(), state: 'needs_reconnect' })).toBe(false);
  expect(isConnected({ ...emptyRecord(upstreamUrl), state: 'connected' })).toBe(false);
});

test('an authorization changes with a sign-in and a logout, and not with a refresh', () => {
  const record = connectedRecord();
  const refreshed = { ...connectedRecord({ refreshedAt: 5 }, { access_token: 'access-2' }), generation: 2 };
  expect(authorizationOf(refreshed)).toBe(authorizationOf(record));
  const others = [
    connectedRecord({ authorizedAt: 5 }),
    connectedRecord({ registration: { client_id: 'client-2', registeredAt: issuedAt } }),
    emptyRecord(upstreamUrl),
  ];
  expect(new Set([record, ...others].map(authorizationOf)).size).toBe(4);
});

describe('a need', () => {
  test('is one per empty record, dead grant, step-up and wish', () => {
    const empty = emptyRecord(upstreamUrl);
    const record = connectedRecord();
    expect(needOf(empty)).toBe('first');
    expect(needOf(record)).toBe('dead client-1');
    const others = [
      needOf(record, { scope: 'write' }),
      needOf(record, { scope: 'admin' }),
      needOf(record, { again: true }),
    ];
    expect(new Set(['first', 'dead client-1', ...others]).size).toBe(5);
  });

  test('of an ended grant stays the same once the grant is out of the record', () => {
    const record = connectedRecord();
    const { grant: _grant, ...forgotten } = { ...record, history: endGrant(record, 'logout', 9) };
    expect(needOf(forgotten)).toBe(needOf(record));
  });
});

describe('the history', () => {
  test('keeps of an ended grant what is no secret', () => {
    expect(endGrant(connectedRecord(), 'invalid_grant', 9)).toEqual([
      { client_id: 'client-1', authorizedAt: issuedAt, endedAt: 9, why: 'invalid_grant' },
    ]);
  });

  test('is short, and does not grow without a grant', () => {
    const line = (endedAt: number) => ({ client_id: 'old', authorizedAt: 0, endedAt, why: 'logout' });
    const history = Array.from({ length: 10 }, (_, at) => line(at));
    const ended = endGrant({ ...connectedRecord(), history }, 'replaced', 99);
    expect(ended.map(({ endedAt }) => endedAt)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 99]);
    expect(endGrant({ ...emptyRecord(upstreamUrl), history }, 'logout', 99)).toEqual(history);
  });
});

test.each([
  ['https://a.example/mcp', 'https://a.example/mcp', true],
  ['https://a.example/mcp', 'https://a.example/mcp/deeper', true],
  ['https://a.example/mcp/', 'https://a.example/mcp', true],
  ['https://a.example', 'https://a.example/mcp', true],
  ['https://a.example:443', 'https://a.example/mcp', true],
  ['https://a.example/mcp', 'https://a.example/mcp2', false],
  ['https://a.example/mcp', 'https://a.example/', false],
  ['https://a.example/mcp', 'https://b.example/mcp', false],
  ['https://a.example/mcp', 'https://a.example:8443/mcp', false],
  ['http://a.example/mcp', 'https://a.example/mcp', false],
  ['a.example', 'https://a.example/mcp', false],
])('whether the resource %s covers %s: %s', (resource, url, expected) => {
  expect(covers(resource, url)).toBe(expected);
});

const day = 24 * hour;
const ended = (days: number, why = 'invalid_grant') => ({
  client_id: 'client-0',
  authorizedAt: issuedAt - 100 * day,
  endedAt: issuedAt - (100 - days) * day,
  why,
});

test.each([
  { knows: 'nothing of a first one', history: [], expected: undefined },
  { knows: 'of the longest life of an earlier one', history: [ended(30), ended(7)], expected: 30 },
  { knows: 'nothing of one that was revoked on its first day', history: [ended(0.9)], expected: undefined },
  { knows: 'nothing of one that a person ended', history: [ended(30, 'logout')], expected: undefined },
  { knows: 'nothing any more of one that it has outlived', history: [ended(3)], expected: undefined },
])('the expected end of a grant after four days $knows', ({ history, expected }) => {
  const end = expectedEnd({ ...connectedRecord(), history }, issuedAt + 4 * day);
  expect(end).toBe(expected === undefined ? undefined : issuedAt + expected * day);
});

test('a token is brand-new for a minute, and not when the clock was set back since', () => {
  const { tokens } = connectedRecord().grant;
  const ages = [0, 59_999, 60_000, -1].map((age) => isBrandNew(tokens, issuedAt + age));
  expect(ages).toEqual([true, true, false, false]);
});
