import { describe, expect, test } from 'vitest';
import { incomingMessages } from '../src/mcp/incoming.ts';
import { membersOf } from '../src/mcp/json-bytes.ts';
import { large } from '../src/mcp/messages.ts';
import { createChance } from './simulation/chance.ts';
import { line } from './support/line.ts';
import { onMethod } from './support/scripted-upstream.ts';

// A large answer is passed on as bytes, without being made into a text or a value. It has to be one all the same.

const padding = 'ü "quoted"\n'.repeat(large / 8);
const padded = JSON.stringify({ text: padding });
const parsed = (bytes: Buffer) => {
  const [message, ...others] = incomingMessages(bytes);
  expect(others).toEqual([]);
  return message;
};

test('only its id is looked at, and its result is there for who asks', () => {
  const raw = `{"x-top":[1.0,1e2],"id":"é\\n","result":${padded},"jsonrpc":"2.0"}`;
  const answer = parsed(Buffer.from(raw));
  expect(answer?.bytes?.toString()).toBe(raw);
  expect(answer?.raw).toBe(raw);
  expect(answer?.message.id).toBe('é\n');
  expect(answer?.message.result).toEqual({ text: padding });
  expect(answer?.message).not.toHaveProperty('method');
});

test.each([
  ['a request', `{"id":1,"method":"x","params":${padded}}`],
  ['a notification', `{"method":"x","params":${padded}}`],
  ['an error', `{"id":1,"error":{"code":1,"data":${padded}}}`],
  ['an error beside a result', `{"id":1,"error":{"code":1},"result":${padded}}`],
  ['an id beyond 2^53', `{"id":12345678901234567890,"result":${padded}}`],
  ['line breaks between tokens', `{"id":1,\n"result":${padded}}`],
  ['an id twice, of which the last one counts', `{"id":1,"result":${padded},"id":2}`],
])('%s is read as a text', (_what, raw) => {
  const answer = parsed(Buffer.from(raw));
  expect(answer?.bytes).toBeUndefined();
  expect(answer?.raw).toBe(raw.replaceAll('\n', ' '));
  if (!raw.includes('"id"')) return;
  const id = raw.includes('"id":2') ? 2 : raw.includes('90}') || raw.includes('890,') ? 12345678901234567890n : 1;
  expect(answer?.message.id).toBe(id);
});

test('bytes that are no UTF-8 do not reach the client', () => {
  const bytes = Buffer.from(`{"id":1,"result":${padded}}`);
  bytes[bytes.indexOf('q')] = 0xff;
  expect(parsed(bytes)).toMatchObject({ raw: expect.stringContaining('\uFFFD') });
  expect(parsed(bytes)?.bytes).toBeUndefined();
});

describe('what the bytes hold is what JSON.parse finds', () => {
  const { between, pick } = createChance(1);
  const below = (most: number) => Math.floor(between(0, most));
  const scalars = ['0', '-1.5e+10', '12', 'true', 'false', 'null', '"\\u00e9\\"\\\\"', '""', '"ü🙂"', '"\\/\\b"'];
  const value = (depth: number): string => {
    const kind = depth > 3 ? 0 : below(3);
    if (kind === 0) return pick(scalars);
    const items = Array.from({ length: below(4) }, () => value(depth + 1));
    const space = below(3) === 0 ? ' \t' : '';
    if (kind === 1) return `[${items.join(`${space},`)}${space}]`;
    return `{${space}${items.map((item, nth) => `"m${nth}"${space}:${item}`).join(`,${space}`)}}`;
  };
  const object = () => `{"id":${value(2)}, "result" : ${value(0)}}`;
  const inserted = Buffer.from('{}[]",:\\0-.eu1 t\u0001');

  const agrees = (bytes: Buffer) => {
    const members = membersOf(bytes);
    const read = () => JSON.parse(bytes.toString()) as Record<string, unknown>;
    if (!members) return false;
    const texts = [...members].map(([name, { start, end }]) => [name, JSON.parse(bytes.toString('utf8', start, end))]);
    expect(Object.fromEntries(texts), bytes.toString()).toEqual(read());
    return true;
  };

  test('whatever the JSON', () => {
    for (let nth = 0; nth < 2_000; nth += 1) expect(agrees(Buffer.from(object()))).toBe(true);
  });

  test('whatever breaks it', () => {
    let broken = 0;
    for (let nth = 0; nth < 20_000; nth += 1) {
      const bytes = Buffer.from(object());
      const at = below(bytes.length);
      const kind = below(3);
      const damaged = Buffer.concat([
        bytes.subarray(0, at),
        kind === 0 ? Buffer.alloc(0) : inserted.subarray(below(inserted.length)).subarray(0, 1),
        bytes.subarray(kind === 1 ? at : at + 1),
      ]);
      const isJson = canParse(damaged);
      const isUnderstood = agrees(damaged);
      if (!isJson) broken += 1;
      // Of valid JSON only what is for JSON.parse to judge may be left to it: names that come twice.
      if (isJson && !isUnderstood) expect(damaged.toString()).toMatch(/("\w*").*\1/);
    }
    expect(broken).toBeGreaterThan(5_000);
  });
});

function canParse(bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

describe.each(['application/json', 'text/event-stream'])('a large answer as %s', (type) => {
  const answering = (body: (id: unknown) => string) =>
    line(
      onMethod('tools/call', ({ json: { id } }) => ({
        headers: { 'content-type': type },
        body: type === 'application/json' ? body(id) : `data: ${body(id)}\n\n`,
      })),
    );

  test('reaches the client in the bytes of the server', async () => {
    const body = `{"x-top":1.0,"result":${padded},"id":7,"jsonrpc":"2.0"}`;
    const { client } = await answering(() => body);
    client.send({ id: 7, method: 'tools/call', params: { name: 'any' } });
    expect((await client.receive(({ id }) => id === 7)).raw).toBe(body);
  });

  test('that is broken does not reach the client, which hears that the outcome is unknown', async () => {
    const { client } = await answering((id) => `{"result":${padded.slice(0, -1)},"id":${id},"jsonrpc":"2.0"}`);
    const { result } = await client.request('tools/call', { name: 'any' }, 7);
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('OUTCOME_UNKNOWN') }] });
  });
});
