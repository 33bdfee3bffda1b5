import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { calling, isCall, isPing } from './support/calling.ts';
import { answered, openStream, type Script } from './support/scripted-upstream.ts';
import { deferred } from './support/upstream/deferred.ts';

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

const message = (text: object) => `data: ${JSON.stringify({ jsonrpc: '2.0', ...text })}\n\n`;
const progress = message({ method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } });
const answer = message({ id: 'call', result: { content: [] } });

/** Answers the call with a stream that the test writes, and pings as it says. */
function streaming(onPing: Script = () => undefined): Script {
  return (arrived) => {
    if (isPing(arrived)) return onPing(arrived);
    if (!isCall(arrived)) return undefined;
    openStream(arrived);
    return 'own';
  };
}

// regression: a network that was away for the moment of the question made the server a dead one
test('a sign of life that fails at once is asked for again until the 10 s are over', async () => {
  let refusals = 5;
  const { server, clock, delivery } = await calling(
    false,
    streaming(({ socket }) => {
      if (refusals-- <= 0) return undefined;
      socket.destroy();
      return 'own';
    }),
  );
  const { response } = await server.waitFor(isCall);
  clock.advance(30_000);
  for (let asked = 1; asked <= 5; asked += 1) {
    await server.waitFor(isPing, asked);
    await clock.untilSleeps(1_000);
    clock.advance(1_000);
  }
  await server.waitFor(isPing, 6);
  await clock.untilSleeps((ms) => ms === 30_000);
  response.end(answer);
  expect(await delivery).toEqual({ kind: 'answered' });
});

test('a server that refuses each question for a sign of life is dead after 10 s, and not before', async () => {
  const { server, clock, delivery } = await calling(
    false,
    streaming(({ socket }) => {
      socket.destroy();
      return 'own';
    }),
  );
  await server.waitFor(isCall);
  clock.advance(30_000);
  for (let asked = 1; asked <= 10; asked += 1) {
    await server.waitFor(isPing, asked);
    expect(await clock.untilSleeps(1_000, delivery)).toBe(1_000);
    clock.advance(1_000);
  }
  expect(await delivery).toMatchObject({ kind: 'ambiguous', silent: true });
});

test('what comes on the connection of the call while a sign of life is asked for is one', async () => {
  const told = deferred<void>();
  const { server, clock, delivery } = await calling(
    false,
    streaming(() => 'own'),
    { onMessage: async () => told.resolve() },
  );
  const { response } = await server.waitFor(isCall);
  clock.advance(30_000);
  await server.waitFor(isPing);
  response.write(progress);
  await told.promise;
  clock.advance(10_000);
  await clock.untilSleeps((ms) => ms === 30_000, delivery);
  response.end(answer);
  expect(await delivery).toEqual({ kind: 'answered' });
});

// regression: a client that did not read for 40 s lost an answer that had come, when the server was gone by then
test('while the client does not take a message, nobody asks whether the server lives', async () => {
  const offered = deferred<void>();
  const taken = deferred<void>();
  const onMessage = () => {
    offered.resolve();
    return taken.promise;
  };
  const { server, clock, delivery } = await calling(false, streaming(), { onMessage });
  const { response } = await server.waitFor(isCall);
  response.write(progress);
  response.end(answer);
  await offered.promise;
  for (let minutes = 1; minutes <= 4; minutes += 1) {
    await clock.untilSleeps((ms) => ms === 30_000);
    clock.advance(30_000);
  }
  await clock.untilSleeps((ms) => ms === 30_000);
  taken.resolve();
  expect(await delivery).toEqual({ kind: 'answered' });
  expect(server.arrived.filter(isPing)).toEqual([]);
});

test('an answer that comes in pieces is a sign of life with each', async () => {
  const { server, clock, delivery } = await calling(false, (arrived) => (isCall(arrived) ? 'own' : undefined));
  const { response } = await server.waitFor(isCall);
  const [head = '', ...pieces] = answered('call', { content: [{}, {}, {}] }).body?.split(/(?={})/) ?? [];
  response.writeHead(200, { 'content-type': 'application/json' }).write(head);
  for (const piece of pieces) {
    await fetch(server.url);
    clock.advance(20_000);
    response.write(piece);
  }
  await fetch(server.url);
  response.end();
  expect(await delivery).toEqual({ kind: 'answered' });
  expect(server.arrived.filter(isPing)).toEqual([]);
});
