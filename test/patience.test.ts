import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { ConnectionRecord } from '../src/credentials/record.ts';
import { createHttp } from '../src/http.ts';
import { createHands } from '../src/mcp/hands.ts';
import { createUpstream } from '../src/mcp/upstream.ts';
import { createTokenSource } from '../src/token-source.ts';
import { clockInTest } from './support/clock.ts';
import { connectedRecord, hour } from './support/records.ts';
import { answered, type Script, scriptedUpstream } from './support/scripted-upstream.ts';
import { collectedLog, folderInTest, openStore } from './support/store-in-test.ts';

const isCall = ({ json }: { json: { method?: string } }) => json.method === 'tools/call';
const isPing = ({ json }: { json: { method?: string } }) => json.method === 'ping';

/** A session, and one call in it, at a server whose silence the test decides. */
async function calling(resendable: boolean, script: Script, special: { at?: string; accessToken?: string } = {}) {
  const { at, accessToken } = special;
  const server = await scriptedUpstream(script);
  const clock = clockInTest();
  const { log } = collectedLog();
  const http = createHttp(clock);
  const random = () => 1;
  const { store } = openStore(await folderInTest(), server.url, clock);
  if (accessToken !== undefined) await store.update(() => signedIn(server.url, accessToken, clock.now()));
  const upstream = createUpstream({
    url: new URL(at ?? server.url),
    http,
    tokens: createTokenSource({ store, http, clock, log, random }),
    clock,
    log,
    random,
    hello: () => ({}),
    onMessage: async () => undefined,
    onSession: () => undefined,
    onSessionEnd: () => undefined,
  });
  onTestFinished(() => upstream.close());
  const hands = createHands(clock, 30_000, new AbortController().signal);
  const raw = JSON.stringify({ jsonrpc: '2.0', id: 'call', method: 'tools/call', params: { name: 'any' } });
  const delivery = upstream.deliver({ raw, answerTo: 'call', resendable, hands }).finally(hands.release);
  /** The server says nothing for 30 s, and then not even that it is there. */
  const dies = async (nth = 1) => {
    await server.waitFor(isCall, nth);
    clock.advance(30_000);
    await server.waitFor(isPing, nth);
    clock.advance(10_000);
  };
  return { server, clock, delivery, dies };
}

function signedIn(resource: string, access_token: string, now: number): ConnectionRecord {
  const lifetime = { issuedAt: now, expiresAt: now + hour };
  return { ...connectedRecord({ resource }, { access_token, ...lifetime }), upstreamUrl: resource };
}

const silent: Script = (arrived) => (isCall(arrived) || isPing(arrived) ? 'own' : undefined);

test('a change at a server that gives no sign of life for 40 s has an unknown outcome', async () => {
  const { server, delivery, dies } = await calling(false, silent);
  await dies();
  expect(await delivery).toMatchObject({ kind: 'ambiguous', why: 'the server went silent' });
  expect(server.arrived.filter(isCall)).toHaveLength(1);
});

test('a read at a server that stays silent is sent once more, and then answered for', async () => {
  const { server, clock, delivery, dies } = await calling(true, silent);
  await dies();
  await clock.untilSleeps(500);
  clock.advance(500);
  await dies(2);
  expect(await delivery).toMatchObject({ kind: 'ambiguous', why: 'the server went silent' });
  expect(server.arrived.filter(isCall)).toHaveLength(2);
});

test('a long call at a server that gives a sign of life is not cut', async () => {
  const { server, clock, delivery } = await calling(false, (arrived) => (isCall(arrived) ? 'own' : undefined));
  const { response } = await server.waitFor(isCall);
  for (let minutes = 1; minutes <= 4; minutes += 1) {
    clock.advance(30_000);
    await server.waitFor(isPing, minutes);
    await clock.untilSleeps((ms) => ms === 30_000);
  }
  const { headers = { 'content-type': 'application/json' }, body } = answered('call', { content: [] });
  response.writeHead(200, headers).end(body);
  expect(await delivery).toEqual({ kind: 'answered' });
  expect(server.arrived.filter(isCall)).toHaveLength(1);
});

test('a sign of life is asked for without a token, which may be known dead by then', async () => {
  const { server, clock, delivery } = await calling(false, (arrived) => (isCall(arrived) ? 'own' : undefined), {
    accessToken: 'good',
  });
  const { response, request } = await server.waitFor(isCall);
  expect(request.headers.authorization).toBe('Bearer good');
  clock.advance(30_000);
  expect((await server.waitFor(isPing)).request.headers).not.toHaveProperty('authorization');
  const { headers = { 'content-type': 'application/json' }, body } = answered('call', { content: [] });
  response.writeHead(200, headers).end(body);
  await delivery;
});

test('a server that is busy and asks for no pause is given one', async () => {
  let busy = true;
  const { server, clock, delivery } = await calling(false, (arrived) => {
    if (!isCall(arrived)) return undefined;
    if (!busy) return answered('call', { content: [] });
    busy = false;
    return { status: 429, headers: { 'retry-after': '0' } };
  });
  await server.waitFor(isCall);
  await clock.untilSleeps(500);
  clock.advance(500);
  expect(await delivery).toEqual({ kind: 'answered' });
  expect(server.arrived.filter(isCall)).toHaveLength(2);
});

test('a server that is away is looked for every few seconds, as long as a call may wait', async () => {
  // regression: the back-off grew to 16 s and more, so a call failed beside a server that was back for 10 s
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve));
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  const { clock, delivery } = await calling(false, silent, { at: `http://127.0.0.1:${port}/mcp` });
  const untilNext = () => clock.untilSleeps((ms) => ms < 30_000, delivery);
  const waits: number[] = [];
  for (let wait = await untilNext(); wait !== undefined; wait = await untilNext()) {
    waits.push(wait);
    clock.advance(wait);
  }
  expect(await delivery).toMatchObject({ kind: 'not-sent' });
  expect(waits).toEqual([500, 1_000, 2_000, ...Array(7).fill(4_000)]);
});
