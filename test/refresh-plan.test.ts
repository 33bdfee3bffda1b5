import { expect, test } from 'vitest';
import { systemProcesses } from '../src/credentials/owner.ts';
import { type ConnectionRecord, emptyRecord, fingerprint, type RefreshUnderWay } from '../src/credentials/record.ts';
import { type Circumstances, freshness, planRefresh, refreshMargin } from '../src/credentials/refresh-plan.ts';
import { startProcess } from './support/other-process.ts';
import { connectedRecord, hour, issuedAt, livingOwner, refreshMark, upstreamUrl } from './support/records.ts';

const second = 1_000;
const minute = 60 * second;
const tokensFor = (lifetime: number) => ({ access_token: 'a', issuedAt, expiresAt: issuedAt + lifetime });

test.each([
  { lifetime: 24 * hour, margin: 10 * minute },
  { lifetime: hour, margin: 6 * minute },
  { lifetime: 30 * second, margin: 5 * second },
  { lifetime: 6 * second, margin: 3 * second },
  { lifetime: 0, margin: 0 },
])('of $lifetime ms the last $margin ms are the margin', ({ lifetime, margin }) => {
  expect(refreshMargin(tokensFor(lifetime), 0)).toBe(margin);
});

test('processes do not line up within the margin', () => {
  const margins = [0, 0.5, 0.99].map((spread) => refreshMargin(tokensFor(hour), spread));
  expect(margins).toEqual([...margins].sort((one, other) => other - one));
  expect(new Set(margins).size).toBe(3);
  expect(Math.min(...margins)).toBeGreaterThan(4 * minute);
});

test('a token is fresh, ages, and ends', () => {
  const at = (age: number) => freshness(tokensFor(hour), issuedAt + age, 0);
  expect([0, 54 * minute - 1, 54 * minute, hour - 1, hour].map(at)).toEqual([
    'fresh',
    'fresh',
    'ageing',
    'ageing',
    'ended',
  ]);
});

const fresh = { now: issuedAt, spread: 0, processes: systemProcesses, waitedFor: () => 0 };
const ageing = { ...fresh, now: issuedAt + 55 * minute };
const ended = { ...fresh, now: issuedAt + hour };
const refused = { ...fresh, refused: fingerprint('access-1') };

const use = { kind: 'use' };
const wait = { kind: 'wait' };
const present = (refreshToken: string) => ({ kind: 'present', refreshToken });
const giveUp = (reason: string) => ({ kind: 'give-up', reason });

interface Case {
  name: string;
  record: ConnectionRecord;
  at: Circumstances;
  plan: object;
}

const plain = connectedRecord();
const marked = (since: number, mark: Partial<RefreshUnderWay> = {}) => ({
  ...connectedRecord(),
  refreshUnderWay: refreshMark({ since, ...mark }),
});
const waited = (ms: number) => ({ ...ended, waitedFor: () => ms });
/** By a living process of this machine. */
const mine = (since: number) => marked(since, { owner: { ...systemProcesses.newOwner(), pid: process.ppid } });
const rejected = (...tokens: string[]) =>
  tokens.map((token, at) => ({ fingerprint: fingerprint(token), oauthError: `error_${at + 1}`, at }));
const alternate = (client_id: string) => ({ refresh_token: 'refresh-alternate', client_id, at: issuedAt });
const spent = (...tokens: string[]) =>
  connectedRecord({ previous: 'refresh-0', alternate: alternate('client-1'), rejections: rejected(...tokens) });
const withoutRefreshToken = connectedRecord();
delete withoutRefreshToken.grant.tokens.refresh_token;

const cases: Case[] = [
  { name: 'nobody signed in', record: emptyRecord(upstreamUrl), at: ended, plan: { kind: 'signed-out' } },
  { name: 'a fresh token', record: plain, at: fresh, plan: use },
  { name: 'an ageing token', record: plain, at: ageing, plan: present('refresh-1') },
  { name: 'an ended token', record: plain, at: ended, plan: present('refresh-1') },
  { name: 'a refused token', record: plain, at: refused, plan: present('refresh-1') },
  { name: 'a refusal of another token', record: plain, at: { ...fresh, refused: fingerprint('access-0') }, plan: use },
  {
    name: 'a daily refresh that is due',
    record: plain,
    at: { ...fresh, refreshedBefore: issuedAt + 1 },
    plan: present('refresh-1'),
  },
  {
    name: 'a daily refresh that another process made',
    record: plain,
    at: { ...fresh, refreshedBefore: issuedAt },
    plan: use,
  },

  { name: 'a living mark on an ageing token', record: marked(ageing.now), at: ageing, plan: use },
  { name: 'a living mark on an ended token', record: marked(ended.now), at: ended, plan: wait },
  { name: 'a living mark on a refused token', record: marked(refused.now), at: refused, plan: wait },
  { name: 'a living mark at its last moment', record: mine(ended.now), at: waited(10 * minute - 1), plan: wait },
  {
    name: 'a living mark that is too old',
    record: mine(ended.now),
    at: waited(10 * minute),
    plan: present('refresh-1'),
  },
  {
    name: 'the mark of somebody who cannot be asked, at its last moment',
    record: marked(ended.now - 75 * second + 1),
    at: ended,
    plan: wait,
  },
  {
    name: 'the mark of somebody who cannot be asked, too old',
    record: marked(ended.now - 75 * second),
    at: ended,
    plan: present('refresh-1'),
  },
  { name: 'a living mark of yesterday, after sleep', record: mine(ended.now - 24 * hour), at: ended, plan: wait },
  { name: 'a living mark of tomorrow, after the clock was set', record: mine(ended.now + hour), at: ended, plan: wait },
  {
    name: 'a mark of tomorrow of somebody who cannot be asked',
    record: marked(ended.now + 24 * hour),
    at: ended,
    plan: present('refresh-1'),
  },
  {
    name: 'an unknown outcome while the token works',
    record: marked(ageing.now, { outcome: 'unknown' }),
    at: ageing,
    plan: use,
  },
  {
    name: 'an unknown outcome when the daily refresh is due',
    record: marked(fresh.now, { outcome: 'unknown' }),
    at: { ...fresh, refreshedBefore: issuedAt + 1 },
    plan: use,
  },
  {
    name: 'an unknown outcome on an ended token',
    record: marked(ended.now, { outcome: 'unknown' }),
    at: ended,
    plan: present('refresh-1'),
  },
  {
    name: 'an unknown outcome on a refused token',
    record: marked(refused.now, { outcome: 'unknown' }),
    at: refused,
    plan: present('refresh-1'),
  },

  { name: 'a rejected refresh token while the access token works', record: spent('refresh-1'), at: ageing, plan: use },
  {
    name: 'a rejected refresh token on an ended token',
    record: spent('refresh-1'),
    at: ended,
    plan: present('refresh-alternate'),
  },
  {
    name: 'a rejected alternate',
    record: spent('refresh-1', 'refresh-alternate'),
    at: ended,
    plan: present('refresh-0'),
  },
  {
    name: 'all rejected',
    record: spent('refresh-1', 'refresh-alternate', 'refresh-0'),
    at: ended,
    plan: giveUp('error_3'),
  },
  {
    name: 'all rejected while the access token works',
    record: spent('refresh-1', 'refresh-alternate', 'refresh-0'),
    at: ageing,
    plan: use,
  },
  {
    name: "another client's alternate",
    record: connectedRecord({ alternate: alternate('client-0'), rejections: rejected('refresh-1') }),
    at: ended,
    plan: giveUp('error_1'),
  },
  { name: 'no refresh token while the access token works', record: withoutRefreshToken, at: ageing, plan: use },
  {
    name: 'no refresh token and an access token that has ended by the clock alone',
    record: withoutRefreshToken,
    at: ended,
    plan: use,
  },
  {
    name: 'no refresh token and a refused access token',
    record: withoutRefreshToken,
    at: refused,
    plan: giveUp('no_refresh_token'),
  },
];

test.each(cases)('$name: $plan.kind $plan.refreshToken', ({ record, at, plan }) => {
  expect(planRefresh(record, at)).toEqual(plan);
});

test('the mark of a process that is gone counts as an unknown outcome at once', async () => {
  const other = await startProcess('lock-process', '/nowhere', '/nowhere');
  const owner = { ...systemProcesses.newOwner(), pid: other.pid };
  expect(planRefresh(marked(ended.now, { owner }), ended)).toEqual(wait);
  expect(planRefresh(marked(ageing.now, { owner }), ageing)).toEqual(use);
  await other.kill();
  expect(planRefresh(marked(ended.now, { owner }), ended)).toEqual(present('refresh-1'));
  expect(planRefresh(marked(ageing.now, { owner }), ageing)).toEqual(use);
  expect(livingOwner.place).not.toBe(owner.place);
});
