import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { memoryOf } from './support/memory.ts';
import { modernMeta, rawModernClient } from './support/modern-client.ts';
import type { Line, RawClient } from './support/raw-client.ts';
import { type Arrived, openStream, type Script, scriptedModern } from './support/scripted-upstream.ts';
import { deferred } from './support/upstream/deferred.ts';

const megabyte = 1024 * 1024;
const isLinux = process.platform === 'linux';

/** What docs/architecture.md allows: bytes of memory at the most, for each byte of a message. */
const mostMemory = 12;

// JSON text of 20 MB: characters of one to four bytes, and escapes.
const piece = '0123456789 abcdefghij \\u00e9\\n\\" \u2028ü✳🙂';
const value = `"${piece.repeat(Math.ceil((20 * megabyte) / Buffer.byteLength(piece)))}"`;
const request = `{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{"name":"t","arguments":{"s":${value}}}}`;
const answer = `{"jsonrpc":"2.0","id":"big","result":{"content":[],"s":${value}}}`;
const small = '{"jsonrpc":"2.0","id":"big","result":{"content":[]}}';

/** Compared by hash: a difference of 20 MB is nothing to print. */
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

const isBig = ({ id, method }: Line['json']) => id === 'big' && method === undefined;
const isCall = ({ json }: Arrived) => json.method === 'tools/call';

const asJson =
  (body: string): Script =>
  (arrived) =>
    isCall(arrived) ? { body } : undefined;

const asEvent =
  (body: string): Script =>
  (arrived) => {
    if (!isCall(arrived)) return undefined;
    openStream(arrived);
    arrived.response.end(`data: ${body}\n\n`);
    return 'own';
  };

/** How much the bridge's memory grew at the most, in terms of the message. */
async function growth(client: RawClient, transfer: () => Promise<unknown>): Promise<number> {
  if (!isLinux) return transfer().then(() => 0);
  const before = memoryOf(client.pid, 'now');
  await transfer();
  return (memoryOf(client.pid, 'most') - before) / Buffer.byteLength(value);
}

test.each<[string, string, string, Script]>([
  ['arguments', request, small, asJson(small)],
  ['a result, as JSON,', '', answer, asJson(answer)],
  ['a result, as an event,', '', answer, asEvent(answer)],
])('20 MB of %s pass byte for byte, and take a bounded amount of memory', async (_what, asked, answered, script) => {
  const { upstream, client } = await line(script);
  await client.request('x/begin');
  const sent = asked || '{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{"name":"t"}}';
  const grown = await growth(client, () => {
    client.write(`${sent}\n`);
    return client.receive(isBig);
  });
  expect(hashOf((await client.receive(isBig)).raw)).toBe(hashOf(answered));
  expect(hashOf((await upstream.waitFor(isCall)).raw)).toBe(hashOf(sent));
  expect(grown).toBeLessThan(mostMemory);
});

test('20 MB pass in both directions in the era without sessions', async () => {
  const upstream = await scriptedModern(asEvent(answer));
  const client = await rawModernClient(upstream.url);
  const asked = request.replace('"params":{', `"params":{"_meta":${JSON.stringify(modernMeta())},`);
  client.write(`${asked}\n`);
  expect(hashOf((await client.receive(isBig)).raw)).toBe(hashOf(answer));
  expect(hashOf((await upstream.waitFor(isCall)).raw)).toBe(hashOf(asked));
});

test('while 20 MB are on their way from the client, at the server and back, everybody else is served', async () => {
  const reading = deferred<void>();
  const begun = deferred<void>();
  const { upstream, client } = await line(
    (arrived) => {
      if (arrived.json.id === 'early') return 'own';
      if (!isCall(arrived)) return undefined;
      arrived.response.writeHead(200, { 'content-type': 'application/json' });
      arrived.response.write(answer.slice(0, answer.length / 2));
      return 'own';
    },
    undefined,
    ({ headers }) => {
      if (Number(headers['content-length']) < megabyte) return undefined;
      begun.resolve();
      return reading.promise;
    },
  );
  const others = () => Promise.all([client.request('x/other'), client.request('ping'), client.request('x/other')]);
  client.send({ id: 'early', method: 'x/early' });
  const early = await upstream.waitFor(({ json }) => json.id === 'early');

  client.write(request.slice(0, request.length / 2));
  early.response
    .writeHead(200, { 'content-type': 'application/json' })
    .end('{"jsonrpc":"2.0","id":"early","result":{}}');
  await client.receive(({ id }) => id === 'early');

  client.write(`${request.slice(request.length / 2)}\n`);
  await begun.promise;
  await others();
  reading.resolve();

  const { response, raw } = await upstream.waitFor(isCall);
  expect(hashOf(raw)).toBe(hashOf(request));
  await others();
  response.end(answer.slice(answer.length / 2));
  expect(hashOf((await client.receive(isBig)).raw)).toBe(hashOf(answer));
});
