import { expect, test } from 'vitest';
import { createEventParser } from '../src/mcp/event-parser.ts';

// WHATWG HTML, server-sent events: "Interpreting an event stream".

/** Fed in chunks of this many bytes. */
function read(stream: string, chunk = Number.POSITIVE_INFINITY) {
  const retries: number[] = [];
  const parser = createEventParser((ms) => void retries.push(ms));
  const bytes = Buffer.from(stream);
  const size = Math.min(chunk, bytes.length);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, nth) =>
    bytes.subarray(nth * size, (nth + 1) * size),
  );
  const events = chunks.flatMap(parser.feed).map(({ data, ...rest }) => ({
    ...rest,
    ...(data === undefined ? {} : { data: data.toString() }),
  }));
  return { events, retries };
}

const message = 'message';

test.each<[string, string, object[]]>([
  ['one line', 'data: a\n\n', [{ type: message, data: 'a' }]],
  ['at most one space is cut', 'data:  a\n\ndata:b\n\n', [' a', 'b'].map((data) => ({ type: message, data }))],
  ['several lines of data', 'data: a\ndata:\ndata: b\n\n', [{ type: message, data: 'a\n\nb' }]],
  ['returns', 'data: a\rdata: b\r\r', [{ type: message, data: 'a\nb' }]],
  ['returns with line feeds', 'data: a\r\ndata: b\r\n\r\n', [{ type: message, data: 'a\nb' }]],
  ['a name and an id', 'event: x\nid: 7\ndata: é✳🙂\n\n', [{ type: 'x', id: '7', data: 'é✳🙂' }]],
  [
    'comments, unknown fields and names',
    ': data: a\nx: y\ndatas: z\ndat: z\ndata: a\n\n',
    [{ type: message, data: 'a' }],
  ],
  ['a field without a colon', 'data\n\n', [{ type: message, data: '' }]],
  ['a name alone is no event', 'event: x\n\ndata: a\n\n', [{ type: message, data: 'a' }]],
  ['an id alone is one to go on from', 'id: 7\n\n', [{ type: message, id: '7' }]],
  ['an id with a null character is none', 'id: 7\0\ndata: a\n\n', [{ type: message, data: 'a' }]],
  [
    'a byte order mark first',
    '\uFEFFdata: a\n\ndata: \uFEFFb\n\n',
    ['a', '\uFEFFb'].map((data) => ({ type: message, data })),
  ],
  ['a stream that ends within an event', 'data: a\n\ndata: b\n', [{ type: message, data: 'a' }]],
])('%s', (_what, stream, expected) => {
  for (const size of [1, 2, 3, 5, Number.POSITIVE_INFINITY])
    expect(read(stream, size).events, `in ${size}`).toEqual(expected);
});

test('only digits are a time to wait', () => {
  expect(read('retry: 250\nretry: 2s\nretry: -1\nretry:\nretry: 10\n\n').retries).toEqual([250, 10]);
});

test('a large event stays as bytes, in whatever pieces it comes', () => {
  const data = 'ü'.repeat(20_000);
  const parser = createEventParser(() => undefined);
  const bytes = Buffer.from(`data: ${data}\n\ndata: small\n\n`);
  const events = [0, 10_001, 20_002].flatMap((start, nth) => parser.feed(bytes.subarray(start, [10_001, 20_002][nth])));
  expect(events.map((event) => [Buffer.isBuffer(event.data), event.data?.toString()])).toEqual([
    [true, data],
    [false, 'small'],
  ]);
});
