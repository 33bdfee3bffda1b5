import { expect, test } from 'vitest';
import { calling, isCall } from './support/calling.ts';
import { line } from './support/line.ts';
import { type Arrived, answered, type Others, onMethod, openStream } from './support/scripted-upstream.ts';

// A response stream that is cut goes on with a GET that names its last event (2025-11-25, Resumability).

const note = (text: string) => `data: {"jsonrpc":"2.0","method":"x/note","params":"${text}"}\n\n`;
const answer = (id: string) => `data: {"jsonrpc":"2.0","id":"${id}","result":{"content":[]}}\n\n`;

/** Begins the answer with this, and cuts the connection. */
function begun(text: string) {
  return (arrived: Arrived) => {
    openStream(arrived);
    arrived.response.write(text, () => arrived.socket.destroy());
    return 'own' as const;
  };
}

/** Answers what is no POST one after the other, the last way from then on. */
function inTurn(...ways: Others[]): Others {
  let nth = 0;
  return (request, response) => ways[Math.min(nth++, ways.length - 1)]?.(request, response);
}

const streams =
  (text: string): Others =>
  (_request, response) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text);
const refuses =
  (status: number, headers: Record<string, string> = {}): Others =>
  (_request, response) =>
    void response.writeHead(status, headers).end('{}');
const cuts: Others = (request) => void request.socket.destroy();

const resuming = ({ headers }: { headers: Record<string, unknown> }) => headers['last-event-id'] !== undefined;

/** The session's own stream is none; what resumes an answer goes on as told. */
function resumed(other: Others): Others {
  return (request, response) => (resuming(request) ? other(request, response) : refuses(405)(request, response));
}

test('a change whose answer is cut twice goes on after its last event each time, and is made once', async () => {
  const { upstream, client } = await line(
    onMethod('tools/call', begun(`id: 1\nretry: 100\ndata:\n\nid: ünï ✳\n${note('a')}`)),
    resumed(inTurn(streams(`id: 3\n${note('b')}`), streams(answer('c')))),
  );
  client.send({ id: 'c', method: 'tools/call', params: { name: 'change' } });
  await client.receive(({ id }) => id === 'c');
  expect(client.lines.filter(({ json }) => json.method === 'x/note').map(({ json }) => json.params)).toEqual([
    'a',
    'b',
  ]);
  expect(upstream.arrived.filter(isCall)).toHaveLength(1);
  const asked = upstream.others.filter(resuming).map(({ headers }) => headers);
  expect(asked).toEqual([
    expect.objectContaining({ accept: 'text/event-stream', 'mcp-protocol-version': '2025-11-25' }),
    expect.objectContaining({ 'last-event-id': '3' }),
  ]);
  expect(Buffer.from(String(asked[0]?.['last-event-id']), 'latin1').toString()).toBe('ünï ✳');
});

// 409: the server still takes the connection that was cut for open (regression: the outcome of a change was unknown)
test.each<[string, Others]>([
  ...[408, 409, 425, 429, 500, 502, 503].map((status): [string, Others] => [`status ${status}`, refuses(status)]),
  ['a cut connection', cuts],
])('a server that does not resume yet (%s) is asked again', async (_how, trouble) => {
  const { upstream, client } = await line(
    onMethod('tools/call', begun('id: 1\nretry: 100\ndata:\n\n')),
    resumed(inTurn(trouble, streams(answer('c')))),
  );
  client.send({ id: 'c', method: 'tools/call', params: { name: 'change' } });
  expect((await client.receive(({ id }) => id === 'c')).json.result).toEqual({ content: [] });
  expect(upstream.arrived.filter(isCall)).toHaveLength(1);
});

test.each<[string, string, Others]>([
  ...[400, 403, 404, 405].map((status): [string, string, Others] => [
    `the server answers ${status}`,
    'id: 1\nretry: 100\ndata:\n\n',
    refuses(status),
  ]),
  [
    'the server has no stream for it',
    'id: 1\nretry: 100\ndata:\n\n',
    refuses(200, { 'content-type': 'application/json' }),
  ],
  ['no event had an id', `retry: 100\n${note('a')}`, refuses(500)],
  ['the last event took the id back', `id: 1\nretry: 100\ndata:\n\nid:\n${note('a')}`, refuses(500)],
  ['no header can hold the id', 'id: \u0001\nretry: 100\ndata:\n\n', refuses(500)],
])('when %s, a change has an unknown outcome and a read is made again', async (_how, text, other) => {
  let reads = 0;
  const { upstream, client } = await line((arrived) => {
    if (isCall(arrived)) return begun(text)(arrived);
    if (arrived.json.method !== 'prompts/get') return undefined;
    reads += 1;
    return reads === 1 ? begun(text)(arrived) : answered(arrived.json.id, { messages: [] });
  }, resumed(other));
  expect(await client.textOf('change')).toMatch(/^OUTCOME_UNKNOWN/);
  expect(await client.request('prompts/get', { name: 'p' })).toMatchObject({ result: { messages: [] } });
  expect(reads).toBe(2);
  expect(upstream.arrived.filter(isCall)).toHaveLength(1);
});

test('a stream that begins with a byte order mark is read', async () => {
  const { client } = await line(
    onMethod('tools/call', (arrived) => {
      openStream(arrived);
      arrived.response.end(`\ufeff${answer('c')}`);
      return 'own';
    }),
  );
  client.send({ id: 'c', method: 'tools/call', params: { name: 'any' } });
  expect((await client.receive(({ id }) => id === 'c')).json.result).toEqual({ content: [] });
});

test.each([
  ['as `retry` says', `id: 1\nretry: 250\ndata:\n\n`, [250]],
  ['as `retry` says, within reason', `id: 1\nretry: 999999999999\ndata:\n\n`, [600_000]],
  ['as the refusal says', 'id: 1\ndata:\n\n', [1_000, 20_000], refuses(503, { 'retry-after': '20' })],
  [
    'as the refusal says, within reason',
    'id: 1\ndata:\n\n',
    [1_000, 600_000],
    refuses(429, { 'retry-after': '9999999999' }),
  ],
  ['ever more rarely, and never later than after 4 s', 'id: 1\ndata:\n\n', [1_000, 2_000, 4_000, 4_000, 4_000], cuts],
])('the pauses before it goes on are %s', async (_how, text, pauses, trouble = cuts) => {
  const troubles = pauses.slice(1).map(() => trouble);
  const { server, clock, delivery } = await calling(
    false,
    (arrived) => (isCall(arrived) ? begun(text)(arrived) : undefined),
    {
      other: inTurn(...troubles, streams(answer('call'))),
    },
  );
  for (const [nth, pause] of pauses.entries()) {
    expect(await clock.untilSleeps((ms) => ms !== 30_000, delivery)).toBe(pause);
    expect(server.others).toHaveLength(nth);
    clock.advance(pause);
    await server.waitForOther(() => true, nth + 1);
  }
  expect(await delivery).toEqual({ kind: 'answered' });
});

test('a stream that brought something is resumed soon again', async () => {
  const { clock, delivery, server } = await calling(
    false,
    (arrived) => (isCall(arrived) ? begun('id: 1\ndata:\n\n')(arrived) : undefined),
    {
      other: inTurn(cuts, cuts, streams(`id: 2\n${note('a')}`), streams(answer('call'))),
    },
  );
  const pauses: unknown[] = [];
  for (let nth = 1; nth <= 4; nth += 1) {
    const pause = await clock.untilSleeps((ms) => ms !== 30_000, delivery);
    pauses.push(pause);
    clock.advance(pause ?? 0);
    await server.waitForOther(() => true, nth);
  }
  expect(await delivery).toEqual({ kind: 'answered' });
  expect(pauses).toEqual([1_000, 2_000, 4_000, 1_000]);
});

test('a call that is given up is not resumed', async () => {
  const { clock, delivery, server, cancel } = await calling(false, (arrived) =>
    isCall(arrived) ? begun('id: 1\ndata:\n\n')(arrived) : undefined,
  );
  await clock.untilSleeps(1_000);
  cancel();
  expect(await delivery).toEqual({ kind: 'cancelled' });
  expect(server.others).toEqual([]);
});
