import { once } from 'node:events';
import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { memoryOf } from './support/memory.ts';
import type { Line } from './support/raw-client.ts';
import { type Arrived, openStream, type Script } from './support/scripted-upstream.ts';
import { deferred } from './support/upstream/deferred.ts';

const megabyte = 1024 * 1024;
const isCall = ({ json }: Arrived) => json.method === 'tools/call';
const event = (message: object) => `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;

/** Streams notifications and then the answer, as fast as they are taken; `waiting`: streams that nobody takes more of. */
function streaming(count: number, notification: (nth: number, call: Arrived) => object) {
  const state = { written: 0, waiting: 0 };
  const stream = async (call: Arrived) => {
    const { response, json } = call;
    openStream(call);
    for (let nth = 0; nth < count; nth += 1) {
      state.written += 1;
      if (response.write(event(notification(nth, call)))) continue;
      state.waiting += 1;
      await once(response, 'drain');
      state.waiting -= 1;
    }
    response.end(event({ id: json.id, result: { content: [] } }));
  };
  const script: Script = (arrived) => {
    if (!isCall(arrived)) return undefined;
    void stream(arrived);
    return 'own';
  };
  return { state, script };
}

const call = (id: string) => ({ id, method: 'tools/call', params: { name: 't', _meta: { progressToken: id } } });
const isAnswerTo = (wanted: string) => (json: Line['json']) => json.id === wanted && json.method === undefined;

const half = 3_000;
const progressAndLog = (nth: number, { json }: Arrived) =>
  nth % 2
    ? { method: 'notifications/progress', params: { progressToken: json.params._meta.progressToken, progress: nth } }
    : { method: 'notifications/message', params: { level: 'info', data: nth } };
const nthOf = ({ json: { params } }: Line) => params.progress ?? params.data;

test.each([1, 100])(
  'progress and log messages by the thousand arrive in order, before the answer, at a client that pauses %d times',
  async (pauses) => {
    const { client } = await line(streaming(2 * half, progressAndLog).script);
    client.send(call('c'));
    const isNote = (json: Line['json']) => json.method !== undefined;
    for (let nth = 1; nth <= pauses; nth += 1) {
      client.pause();
      await new Promise((resolve) => setImmediate(resolve));
      client.resume();
      await client.receive(isNote, (nth * 2 * half) / pauses);
    }
    await client.receive(isAnswerTo('c'));
    const seen = client.lines.slice(1);
    expect(seen.slice(0, -1).map(nthOf)).toEqual(Array.from({ length: 2 * half }, (_, nth) => nth));
    expect(seen.at(-1)?.json.id).toBe('c');
  },
);

test("thousands of notifications on the session's own stream arrive in order", async () => {
  const { client } = await line(
    () => undefined,
    async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (let nth = 0; nth < 2 * half; nth += 1)
        response.write(event({ method: 'notifications/message', params: { level: 'info', data: nth } }));
    },
  );
  await client.request('x/begin');
  await client.receive(({ method }) => method === 'notifications/message', 2 * half);
  const notes = client.lines.filter(({ json }) => json.method === 'notifications/message');
  expect(notes.map(nthOf)).toEqual(Array.from({ length: 2 * half }, (_, nth) => nth));
});

test('a thousand notifications of the client arrive one after the other, before the request that follows', async () => {
  const open = new Set<Arrived>();
  let most = 0;
  const { upstream, client } = await line((arrived) => {
    if (arrived.json.method !== 'x/note') return undefined;
    open.add(arrived);
    most = Math.max(most, open.size);
    setImmediate(() => {
      open.delete(arrived);
      arrived.response.writeHead(202).end();
    });
    return 'own';
  });
  await client.request('x/begin');
  for (let nth = 0; nth < 1_000; nth += 1) client.notify('x/note', { nth });
  await client.request('x/after');
  const methods = upstream.arrived.map(({ json }) => json.params?.nth ?? json.method);
  expect(methods.slice(methods.indexOf(0))).toEqual([...Array.from({ length: 1_000 }, (_, nth) => nth), 'x/after']);
  expect(most).toBe(1);
});

test('a client that stops reading stops the server, not the bridge, and gets everything once it reads again', async () => {
  const parts = 64;
  const text = 'x'.repeat(megabyte / 4);
  const ids = ['a', 'b', 'c', 'd'];
  const { state, script } = streaming(parts, (nth, { json }) => ({
    method: 'x/part',
    params: { of: json.id, nth, text },
  }));
  const asked = deferred<Arrived>();
  const { upstream, client } = await line((arrived) => {
    if (arrived.json.id === 's' && arrived.json.method === undefined) asked.resolve(arrived);
    if (arrived.json.method !== 'x/ask') return script(arrived);
    openStream(arrived);
    arrived.response.write(event({ id: 's', method: 'roots/list' }));
    return 'own';
  });
  client.send({ id: 'ask', method: 'x/ask' });
  await client.receive(({ method }) => method === 'roots/list');
  const before = process.platform === 'linux' ? memoryOf(client.pid, 'now') : 0;

  client.pause();
  for (const id of ids) client.send(call(id));
  await upstream.waitFor(isCall, ids.length);
  // Until the server's socket is full: what it had to say is more than all buffers on the way hold.
  let last = -1;
  const isStalled = () => {
    const before = last;
    last = state.written;
    return before === last && state.waiting === ids.length;
  };
  await expect.poll(isStalled, { interval: 500, timeout: 50_000 }).toBe(true);
  expect(state.written).toBeLessThan((ids.length * parts) / 2);
  if (process.platform === 'linux') expect(memoryOf(client.pid, 'most') - before).toBeLessThan(24 * megabyte);

  // The other direction is open.
  client.send({ id: 's', result: { roots: [] } });
  await asked.promise;
  client.notify('x/note');
  await upstream.waitFor(({ json }) => json.method === 'x/note');
  const answers = ['one', 'two'].map((id) => client.request('x/other', {}, id));
  await upstream.waitFor(({ json }) => json.method === 'x/other', 2);

  client.resume();
  await Promise.all([...answers, ...ids.map((id) => client.receive(isAnswerTo(id)))]);
  for (const id of ids) {
    const mine = client.lines.filter(({ json }) => json.params?.of === id).map(({ json }) => json.params.nth);
    expect(mine).toEqual(Array.from({ length: parts }, (_, nth) => nth));
  }
  expect(client.stderr()).not.toContain('Warning');
});
