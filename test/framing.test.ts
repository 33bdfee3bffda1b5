import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { spawnRaw } from './support/raw-client.ts';
import { onMethod, openStream } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';

const megabyte = 1024 * 1024;

test('garbage is answered with a parse error, and the bridge lives on', async () => {
  const client = spawnRaw({ home: await homeInTest(), url: 'http://127.0.0.1:9/mcp' });
  for (const garbage of ['{"jsonrpc":', 'hello', '42', '"text"', 'null', '\u0000', '{"id":1}}']) {
    client.write(`${garbage}\n`);
  }
  client.write('\n  \r\n');
  expect(await client.request('ping')).toMatchObject({ result: {} });
  expect(client.lines.slice(0, -1).map(({ json }) => [json.id, json.error.code])).toEqual(
    Array.from({ length: 7 }, () => [null, -32700]),
  );
});

test('what is JSON but no message is answered as an invalid request', async () => {
  const client = spawnRaw({ home: await homeInTest(), url: 'http://127.0.0.1:9/mcp' });
  client.write('{}\n{"jsonrpc":"2.0","id":7,"method":5}\n{"method":null}\n');
  expect(await client.request('ping')).toMatchObject({ result: {} });
  expect(client.lines.slice(0, -1).map(({ json }) => [json.id, json.error.code])).toEqual([
    [null, -32600],
    [7, -32600],
    [null, -32600],
  ]);
});

test('a batch of revision 2025-03-26 is taken apart and answered', async () => {
  const { upstream, client } = await line(
    onMethod('tools/call', ({ json: { id } }) => ({ body: `{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}` })),
  );
  const call = (id: string) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"any"}}`;
  const note = '{"jsonrpc":"2.0","method":"x/note"}';
  client.write(`[${call('1')},${note},{"jsonrpc":"2.0","id":2,"method":"ping"},17,${call('3')}]\n`);
  for (const id of [1, 2, 3]) {
    expect((await client.receive((json) => json.id === id)).json).toHaveProperty('result');
  }
  expect(upstream.arrived.every(({ json }) => !Array.isArray(json))).toBe(true);
});

test('lines that come in pieces are put together, also in the middle of a character', async () => {
  const { upstream, client } = await line(
    onMethod('x/pieces', () => ({ body: '{"jsonrpc":"2.0","id":1,"result":{}}' })),
  );
  const bytes = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x/pieces","params":{"s":"✳🙂é"}}\n');
  for (const byte of bytes) {
    client.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await client.receive(({ id }) => id === 1);
  expect((await upstream.waitFor(({ json }) => json.method === 'x/pieces')).json.params.s).toBe('✳🙂é');
});

test('a client that reads slowly gets everything, in order and without a warning', async () => {
  const sizes = Array.from({ length: 30 }, (_, nth) => nth);
  const { upstream, client } = await line((arrived) => {
    const { method, id } = arrived.json;
    if (method === 'x/all') {
      openStream(arrived);
      for (const nth of sizes) {
        const params = { nth, text: 'x'.repeat(megabyte / 4) };
        arrived.response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method: 'x/part', params })}\n\n`);
      }
      arrived.response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: {} })}\n\n`);
      return 'own';
    }
    if (method !== 'x/one') return undefined;
    return { body: JSON.stringify({ jsonrpc: '2.0', id, result: { text: 'y'.repeat(megabyte / 4) } }) };
  });
  client.pause();
  const all = client.request('x/all');
  const ones = sizes.map((nth) => client.request('x/one', {}, `one-${nth}`));
  await upstream.waitFor(({ json }) => json.method === 'x/one', sizes.length);
  client.resume();
  await Promise.all([all, ...ones]);
  const parts = client.lines.filter(({ json }) => json.method === 'x/part').map(({ json }) => json.params.nth);
  expect(parts).toEqual(sizes);
  expect(client.stderr()).not.toContain('Warning');
});
