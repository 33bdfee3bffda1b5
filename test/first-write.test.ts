import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createHttp, type Http } from '../src/http.ts';
import { createHands } from '../src/mcp/hands.ts';
import { createUpstream } from '../src/mcp/upstream.ts';
import { clockInTest, type TestClock } from './support/clock.ts';
import { connectionInTest, isRefresh } from './support/connection.ts';
import { line } from './support/line.ts';
import { type Arrived, answered, scriptedUpstream } from './support/scripted-upstream.ts';
import { standStill } from './support/stand-still.ts';
import { collectedLog } from './support/store-in-test.ts';

// The first change after a pause or after sleep meets a pool of connections of which none can be trusted (product.md 8).

const isCall = ({ json }: Arrived) => json.method === 'tools/call';

/** Answers calls, except on connections that it dropped without a word. */
function forgetful() {
  const dropped = new Set<Socket>();
  const script = ({ json: { id, method }, socket }: Arrived) => {
    if (dropped.has(socket)) return 'own';
    return method === 'tools/call' ? answered(id, { content: [{ type: 'text', text: 'done' }] }) : undefined;
  };
  return { dropped, script };
}

const endings: [string, (socket: Socket, dropped: Set<Socket>) => void][] = [
  ['dropped without a word', (socket, dropped) => dropped.add(socket)],
  ['closed', (socket) => socket.end()],
  ['reset', (socket) => socket.resetAndDestroy()],
];

const times: [string, (clock: TestClock) => void][] = [
  ['a pause of a minute', (clock) => clock.advance(60_000)],
  // The monotonic clock stands still while the machine sleeps.
  ['a sleep of a minute', (clock) => clock.step(60_000)],
];

/** A change, sent at once, and its answer read to the end; gives our end of its connection. */
async function change(http: Http, url: string): Promise<Socket> {
  const { body } = await http.request(new URL(url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'any', method: 'tools/call' }),
    connection: 'recent',
  });
  const { socket } = body;
  await once(body.resume(), 'end');
  return socket;
}

const afterwards = times.flatMap(([time, pass]) => endings.map(([ending, end]) => [time, ending, pass, end] as const));

test.each(afterwards)(
  'the first change after %s does not go out on the connection that was %s meanwhile',
  async (...at) => {
    const [, , pass, end] = at;
    const { dropped, script } = forgetful();
    const server = await scriptedUpstream(script);
    const clock = clockInTest();
    const http = createHttp(clock);
    await change(http, server.url);
    const { socket } = await server.waitFor(isCall);
    pass(clock);
    // Nobody on our side has read of it yet when the change goes out.
    end(socket, dropped);
    await change(http, server.url);
    expect(server.arrived).toHaveLength(2);
  },
);

test('two changes within two seconds share a connection', async () => {
  const server = await scriptedUpstream(forgetful().script);
  const clock = clockInTest();
  const http = createHttp(clock);
  const first = await change(http, server.url);
  clock.advance(1_900);
  expect(await change(http, server.url)).toBe(first);
});

test('a connection of which the end was read this very moment is not used any more', async () => {
  // regression: until its `close` event the agent gave it out, nothing was sent, and the outcome of a change was told to be unknown
  const server = await scriptedUpstream(forgetful().script);
  const http = createHttp(clockInTest());
  const socket = await change(http, server.url);
  const ended = once(socket, 'end');
  server.arrived[0]?.socket.end();
  await ended;
  expect(socket.destroyed).toBe(false);
  await change(http, server.url);
  expect(server.arrived).toHaveLength(2);
});

test('the first change after a night, with its token expired, its session gone and its connection closed, is made once', async () => {
  const { upstream, clock, source } = await connectionInTest({ testTools: true });
  const bridge = createUpstream({
    url: new URL(upstream.url),
    http: createHttp(clock),
    tokens: source().tokens,
    clock,
    log: collectedLog().log,
    random: () => 1,
    hello: () => ({ protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }),
    onMessage: async () => undefined,
    onSession: () => undefined,
    onSessionEnd: () => undefined,
  });
  onTestFinished(() => bridge.close());
  const count = (id: string) => {
    const hands = createHands(clock, 30_000, new AbortController().signal);
    const raw = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'count' } });
    return bridge.deliver({ raw, answerTo: id, resendable: false, hands }).finally(hands.release);
  };
  expect(await count('in the evening')).toEqual({ kind: 'answered' });
  const night = 8 * 3_600_000;
  upstream.clock.advance(night);
  clock.step(night);
  await upstream.restart();
  expect(await count('in the morning')).toEqual({ kind: 'answered' });
  expect(upstream.executions('count')).toBe(2);
  expect(upstream.count(isRefresh)).toBe(1);
});

test.each(endings)(
  'a bridge that stood still sends a change on no connection that was %s meanwhile',
  async (_how, end) => {
    const { dropped, script } = forgetful();
    const { upstream, client } = await line(script);
    await client.textOf('change');
    const { socket } = await upstream.waitFor(isCall);
    await standStill(client.pid);
    const call = client.textOf('change');
    end(socket, dropped);
    // Time itself is the point: a connection is used again for two seconds.
    await sleep(2_100);
    client.kill('SIGCONT');
    expect(await call).toBe('done');
    expect(upstream.arrived.filter(isCall)).toHaveLength(2);
  },
);
