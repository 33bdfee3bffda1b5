import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { openEventStream } from './support/event-stream.ts';

/** Opens the stream, sends this much, and ends it. */
function streams(text: string) {
  return (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text);
  };
}

function refuses(status: number, headers: Record<string, string> = {}) {
  return (response: ServerResponse) => void response.writeHead(status, headers).end();
}

type Way = (response: ServerResponse) => void;

/** One way after the other, the last one from then on; `ids` are the events that it was to go on from. */
function inTurn(...ways: Way[]) {
  const ids: unknown[] = [];
  const answer = (response: ServerResponse, request: IncomingMessage) => {
    ways[Math.min(ids.length, ways.length - 1)]?.(response);
    ids.push(request.headers['last-event-id']);
  };
  return { ids, answer };
}

const said = 'data: {"jsonrpc":"2.0","method":"notifications/said"}\n\n';

test('a server whose event streams are empty is asked ever more rarely', async () => {
  const { asked, pauses } = openEventStream(streams(''));
  await asked(6);
  expect(pauses.slice(0, 5)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
});

test('a stream that brought something is opened again soon', async () => {
  const { asked, pauses } = openEventStream(streams(said));
  await asked(4);
  expect(pauses.slice(0, 3)).toEqual([1_000, 1_000, 1_000]);
});

test.each([
  [0, 100],
  [250, 250],
  [99_999_999_999, 600_000],
])('a server that asks for %s ms is asked again after %s ms', async (retry, pause) => {
  const { asked, pauses } = openEventStream(streams(`retry: ${retry}\n\n`));
  await asked(3);
  expect(pauses.slice(0, 2)).toEqual([pause, pause]);
});

test('a short retry does not hurry a server that is away', async () => {
  let first = true;
  const { asked, pauses } = openEventStream((response) => {
    if (first) streams('retry: 200\n\n')(response);
    else response.writeHead(502).end();
    first = false;
  });
  await asked(4);
  expect(pauses.slice(0, 3)).toEqual([200, 2_000, 4_000]);
});

test('an event that is no message is passed by', async () => {
  const { received } = openEventStream(streams(`id: 1\ndata: no JSON\n\n${said}`));
  expect(await received).toContain('notifications/said');
});

test('a server that is away for hours is asked every 30 s at the latest, and served again when it is back', async () => {
  const trouble = Array.from({ length: 500 }, (_, nth) =>
    nth % 2 ? refuses(502) : (response: ServerResponse) => void response.destroy(),
  );
  const { received, pauses } = openEventStream(inTurn(...trouble, streams(said)).answer);
  expect(await received).toContain('notifications/said');
  expect(pauses).toHaveLength(500);
  expect(pauses.slice(0, 6)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
  expect(new Set(pauses.slice(5))).toEqual(new Set([30_000]));
});

test.each([
  [429, '20', 20_000],
  [503, '7', 7_000],
  [503, '99999999999', 600_000],
])('a server that refuses with %d and asks for %s s is given %d ms', async (status, seconds, pause) => {
  const { received, pauses } = openEventStream(
    inTurn(refuses(status, { 'retry-after': seconds }), streams(said)).answer,
  );
  await received;
  expect(pauses[0]).toBe(pause);
});

test.each([408, 409, 425, 429, 500])(
  'a server that refuses with %d, as an earlier stream may still be open, is asked again',
  async (status) => {
    const { received } = openEventStream(inTurn(refuses(status), streams(said)).answer);
    expect(await received).toContain('notifications/said');
  },
);

test.each([400, 403, 405])('a server that refuses with %s is not asked again', async (status) => {
  const { over } = openEventStream(refuses(status));
  await expect(over).resolves.toBeUndefined();
});

test.each([400, 403, 404])('a server that refuses with %d what it has served is asked again', async (status) => {
  const { received } = openEventStream(inTurn(streams(''), refuses(status), streams(said)).answer);
  expect(await received).toContain('notifications/said');
});

test('the stream goes on after its last event; one that the server does not know any more is let go', async () => {
  const { answer, ids } = inTurn(streams('id: é1\ndata:\n\n'), refuses(502), refuses(400), streams(''), streams(said));
  await openEventStream(answer).received;
  const sent = Buffer.from('é1').toString('latin1');
  expect(ids.slice(0, 5)).toEqual([undefined, sent, sent, undefined, undefined]);
});

test.each([
  ['is over', true],
  ['stands', false],
])('after a 404 nothing is asked again when it turns out that the session %s', async (_what, isOver) => {
  const { over } = openEventStream(refuses(404), isOver);
  await expect(over).resolves.toBeUndefined();
});

test('after a 404 the stream is asked for again when nobody could tell whether the session is over', async () => {
  const { received } = openEventStream(inTurn(refuses(404), streams(said)).answer);
  expect(await received).toContain('notifications/said');
});
