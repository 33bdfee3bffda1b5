import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { openEventStream } from './support/event-stream.ts';

/** Opens the stream, sends this much, and ends it. */
function streams(text: string) {
  return (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text);
  };
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

test('a server that still takes the earlier stream for open is asked again', async () => {
  let first = true;
  const { received } = openEventStream((response) => {
    if (first) response.writeHead(409).end();
    else streams(said)(response);
    first = false;
  });
  expect(await received).toContain('notifications/said');
});

test.each([400, 403, 405])('a server that refuses with %s is not asked again', async (status) => {
  const { over } = openEventStream((response) => void response.writeHead(status).end());
  await expect(over).resolves.toBeUndefined();
});
