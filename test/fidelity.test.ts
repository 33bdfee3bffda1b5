import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { spawnRaw } from './support/raw-client.ts';
import { type Arrived, onMethod, openStream, scriptedUpstream } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

test('members that no specification knows reach the client, in the bytes of the server', async () => {
  const body =
    '{"id":"a","x-top":[1.0,1e2],"result":{"content":[],"big":90071992547409931234,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t","x":1}}},"jsonrpc":"2.0"}';
  const { client } = await line(onMethod('tools/call', () => ({ body })));
  client.send({ id: 'a', method: 'tools/call', params: { name: 'any' } });
  expect((await client.receive(({ id }) => id === 'a')).raw).toBe(body);
});

test('a request reaches the server in the bytes of the client', async () => {
  const { upstream, client } = await line(
    onMethod('x/unknown', () => ({ body: '{"jsonrpc":"2.0","id":1,"result":{}}' })),
  );
  const bytes =
    '{"params":{"n":12345678901234567890,"f":1.0,"s":"\\u00e9 ✳ \\/"},"x-top":null,"method":"x/unknown","id":1,"jsonrpc":"2.0"}';
  client.write(`${bytes}\n`);
  await client.receive(({ id }) => id === 1);
  expect((await upstream.waitFor(({ json }) => json.method === 'x/unknown')).raw).toBe(bytes);
});

test.each([
  ['with status 200', 200, 'application/json'],
  ['with status 400', 400, 'application/json'],
  ['as an event', 200, 'text/event-stream'],
])('an error of the server %s reaches the client as it is', async (_how, status, type) => {
  const error =
    '{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no","data":{"n":90071992547409931},"x-error":1},"x-top":2}';
  const body = type === 'application/json' ? error : `data: ${error}\n\n`;
  const { client } = await line(onMethod('tools/call', () => ({ status, headers: { 'content-type': type }, body })));
  client.send({ id: 7, method: 'tools/call', params: { name: 'any' } });
  expect((await client.receive(({ id }) => id === 7)).raw).toBe(error);
});

test('an error without an id is the answer to the request that it refuses', async () => {
  const body = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error","data":{"at":3}}}';
  const { client } = await line(onMethod('prompts/get', () => ({ status: 400, body })));
  const { error } = await client.request('prompts/get', { name: 'p' });
  expect(error).toEqual({ code: -32700, message: 'Parse error', data: { at: 3 } });
});

// Passed on as a JSON-RPC error, this was a line that SDK clients could not read, so that they waited for ever.
test.each([400, 403, 410])('an OAuth error with status %d is no JSON-RPC error: it is told in ours', async (status) => {
  const body = '{"error":"test_complete","error_description":"over"}';
  const { client } = await line(onMethod('prompts/get', () => ({ status, body })));
  const { error } = await client.request('prompts/get', { name: 'p' });
  expect(error).toMatchObject({ code: expect.any(Number), message: expect.stringContaining('test_complete') });
});

test('a plain 403 is a permission: it is told, and nobody signs in', async () => {
  const home = await homeInTest('ignores');
  const upstream = await scriptedUpstream(
    onMethod('tools/call', () => ({
      status: 403,
      headers: { 'content-type': 'text/plain' },
      body: 'not in this team',
    })),
  );
  const client = spawnRaw({ home, url: upstream.url });
  await client.hello();
  const { result } = await client.call('any');
  expect(result).toMatchObject({ isError: true });
  expect(result.content[0].text).toContain('UPSTREAM_REFUSED');
  expect(result.content[0].text).toContain('not in this team');
  expect(upstream.arrived.filter(({ json }) => json.method === 'tools/call')).toHaveLength(1);
  expect(home.browser.tabs).toEqual([]);
});

test('a redirect is not followed, and is told with where it leads', async () => {
  const headers = { location: '/moved/mcp?secret=1' };
  const { upstream, client } = await line(onMethod('initialize', () => ({ status: 307, headers })));
  const text = await client.textOf('any');
  expect(text).toMatch(/^UPSTREAM_REFUSED: the server answered with status 307: a redirect to http.*\/moved\/mcp;/);
  expect(text).not.toContain('secret');
  expect(upstream.arrived.every(({ request }) => request.url === '/mcp')).toBe(true);
});

test('a pretty-printed body becomes one line', async () => {
  const message = { jsonrpc: '2.0', id: 'p', result: { content: [{ type: 'text', text: 'two\r\nlines\u2028three' }] } };
  const body = JSON.stringify(message, null, '\t').replaceAll('\n', '\r\n');
  const { client } = await line(onMethod('tools/call', () => ({ body })));
  client.send({ id: 'p', method: 'tools/call', params: { name: 'any' } });
  expect((await client.receive(({ id }) => id === 'p')).json).toEqual(message);
  await client.request('ping');
  expect(client.lines).toHaveLength(3);
});

test('each id comes back as it was, whoever answers', async () => {
  const echoed = onMethod('tools/call', ({ raw }) => {
    const id = /"id":("[^"]*"|[^,}]+)/.exec(raw)?.[1];
    return { body: `{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}` };
  });
  const { client } = await line(echoed);
  const ids = [
    '0',
    '-1',
    '1.5',
    '""',
    '"ünï ✳"',
    '"5"',
    '5',
    '9007199254740992',
    '9007199254740993',
    '-90071992547409935',
  ];
  for (const id of ids) client.write(`{"id":${id},"jsonrpc":"2.0","method":"tools/call","params":{"name":"any"}}\n`);
  await client.receive(({ id }) => id !== undefined, 1 + ids.length);
  for (const id of ids) client.write(`{"id":${id},"jsonrpc":"2.0","method":"ping"}\n`);
  await client.receive(({ id }) => id !== undefined, 1 + 2 * ids.length);
  const answers = client.lines.slice(1).map(({ raw }) => raw);
  const expected = ids.flatMap((id) => [
    `{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`,
    `{"jsonrpc":"2.0","id":${id},"result":{}}`,
  ]);
  expect(answers.sort()).toEqual(expected.sort());
});

test('of two calls whose ids a double cannot tell apart the right one is cancelled', async () => {
  const { upstream, client } = await line(onMethod('tools/call', () => 'own'));
  const call = (id: string) => `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"any"}}\n`;
  client.write(call('9007199254740992') + call('9007199254740993'));
  const calls = [1, 2].map((nth) => upstream.waitFor(({ json }) => json.method === 'tools/call', nth));
  const [kept, given] = (await Promise.all(calls)).sort((one, other) => (one.raw < other.raw ? -1 : 1));
  const closed = once(given?.response as ServerResponse, 'close');
  const cancellation =
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"reason":1.0,"requestId":9007199254740993}}';
  client.write(`${cancellation}\n`);
  await closed;
  expect((await upstream.waitFor(({ json }) => json.method === 'notifications/cancelled')).raw).toBe(cancellation);
  const answer = '{"jsonrpc":"2.0","id":9007199254740992,"result":{"content":[]}}';
  kept?.response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  expect((await client.receive(({ result }) => result?.content)).raw).toBe(answer);
});

test('unknown requests and notifications pass in both directions', async () => {
  let stream: Arrived | undefined;
  const { upstream, client } = await line((arrived) => {
    const { method, id } = arrived.json;
    if (method === 'x/stream') {
      stream = arrived;
      openStream(arrived);
      arrived.response.write(
        'event: message\ndata: {"jsonrpc":"2.0","method":"x/note","params":{"n":90071992547409931}}\n\n' +
          'event: other\ndata: {"jsonrpc":"2.0","method":"x/other"}\n\ndata:\n\n' +
          'data: {"jsonrpc":"2.0","id":"s-1","method":"x/question",\ndata: "params":{"deep":[null]}}\n\n',
      );
      return 'own';
    }
    if (id === 's-1' && method === undefined) {
      stream?.response.end(`data: {"jsonrpc":"2.0","id":"c-1","result":{"got":1}}\n\n`);
    }
    return undefined;
  });
  client.send({ id: 'c-1', method: 'x/stream', params: {} });
  expect((await client.receive(({ method }) => method === 'x/note')).raw).toContain('"n":90071992547409931}');
  expect((await client.receive(({ method }) => method === 'x/question')).json.params).toEqual({ deep: [null] });
  client.write('{"jsonrpc":"2.0","method":"x/from-client","params":{"n":90071992547409931}}\n');
  expect((await upstream.waitFor(({ json }) => json.method === 'x/from-client')).raw).toContain('90071992547409931');
  client.write('{"jsonrpc":"2.0","id":"s-1","result":{"n":90071992547409931},"x-top":1}\n');
  expect((await upstream.waitFor(({ json }) => json.id === 's-1')).raw).toBe(
    '{"jsonrpc":"2.0","id":"s-1","result":{"n":90071992547409931},"x-top":1}',
  );
  expect((await client.receive(({ id, method }) => id === 'c-1' && !method)).json.result).toEqual({ got: 1 });
  expect(client.lines.filter(({ json }) => json.method === 'x/other')).toEqual([]);
});

test('what a real server adds to its results, and how it refuses, is unchanged', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  const params = { name: 'echo-raw', arguments: { 'x-arg': [1, null] }, _meta: { 'example.test/a': { b: 'ü' } } };
  const { result } = await client.request('tools/call', params);
  expect(result).toMatchObject({
    _meta: { 'example.test/unknown': { kept: true } },
    'x-unknown-result': { kept: true },
    structuredContent: { 'x-unknown-structured': [1, { two: null }] },
  });
  expect(JSON.parse(result.content[0].text)).toEqual({ args: params.arguments, _meta: params._meta });
  for (const code of ['restricted_resource', 'rate_limited']) {
    expect((await client.call('refuse', { code })).result).toMatchObject({
      isError: true,
      structuredContent: { error: { code } },
    });
  }
  expect(await client.call('no-such-tool')).toMatchObject({ error: { code: -32602 } });
  const { error } = await client.request('resources/read', { uri: 'notion://page/none' });
  expect(error).toMatchObject({ code: -32002, data: { uri: 'notion://page/none' } });
  expect(upstream.executions('refuse')).toBe(2);
});
