import { expect, onTestFinished, test } from 'vitest';
import { createHttp } from '../src/http.ts';
import { createHands } from '../src/mcp/hands.ts';
import { createUpstream } from '../src/mcp/upstream.ts';
import { createTokenSource } from '../src/token-source.ts';
import { clockInTest } from './support/clock.ts';
import { answered, type Script, scriptedUpstream } from './support/scripted-upstream.ts';
import { collectedLog, folderInTest, openStore } from './support/store-in-test.ts';

const isCall = ({ json }: { json: { method?: string } }) => json.method === 'tools/call';
const isPing = ({ json }: { json: { method?: string } }) => json.method === 'ping';

/** A session, and one call in it, at a server whose silence the test decides. */
async function calling(resendable: boolean, script: Script) {
  const server = await scriptedUpstream(script);
  const clock = clockInTest();
  const { log } = collectedLog();
  const http = createHttp(clock);
  const random = () => 1;
  const { store } = openStore(await folderInTest(), server.url, clock);
  const upstream = createUpstream({
    url: new URL(server.url),
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
