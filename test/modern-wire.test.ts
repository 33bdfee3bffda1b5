import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { asModern, modernMeta, rawModernClient, told } from './support/modern-client.ts';
import { modernUpstream } from './support/modern-upstream.ts';
import { spawnRaw } from './support/raw-client.ts';
import { answered, onMethod, openStream, scriptedModern } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { approve } from './support/upstream/browser.ts';
import type { Fault } from './support/upstream/faults.ts';

const complete = { resultType: 'complete' };

describe('what passes through', () => {
  test('a request and its answer keep their bytes, and no session is made', async () => {
    const answer =
      '{"jsonrpc":"2.0","x":1,"id":"a","result":{"content":[],"resultType":"complete","big":12345678901234567890}}';
    const upstream = await scriptedModern(
      onMethod('tools/call', () => ({ body: answer, headers: { 'content-type': 'application/json' } })),
    );
    const client = await rawModernClient(upstream.url);
    const request = `{"jsonrpc":"2.0", "id":"a", "method":"tools/call","params":{"_meta":${JSON.stringify(modernMeta({ 'x/y': 1.0 }))},"name":"t","x":12345678901234567890}}`;
    client.write(`${request}\n`);
    expect((await client.receive(({ id }) => id === 'a')).raw).toBe(answer);
    const { raw, request: got } = await upstream.waitFor(({ json }) => json.method === 'tools/call');
    expect(raw).toBe(request);
    expect(got.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 't',
    });
    expect(got.headers).not.toHaveProperty('mcp-session-id');
    expect(upstream.arrived.map(({ json }) => json.method)).not.toContain('initialize');
  });

  test('progress and the log of a request reach the client before its answer; what no server may ask does not', async () => {
    const upstream = await scriptedModern(
      onMethod('tools/call', (arrived) => {
        openStream(arrived);
        const messages = [
          { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } },
          { jsonrpc: '2.0', id: 1, method: 'roots/list' },
          { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } },
          { jsonrpc: '2.0', id: arrived.json.id, result: { content: [], ...complete } },
        ];
        for (const message of messages) arrived.response.write(`data: ${JSON.stringify(message)}\n\n`);
        arrived.response.end();
        return 'own';
      }),
    );
    const client = await rawModernClient(upstream.url);
    await asModern(client)('tools/call', { name: 't' }, 'a');
    const seen = client.lines.map(({ json }) => json.method ?? json.id);
    expect(seen).toEqual(['notifications/progress', 'notifications/message', 'a']);
  });

  test('an error in a 404 or a 400 of the era is the answer, byte for byte', async () => {
    const errors: Record<string, [number, string]> = {
      'x/none': [404, '{"jsonrpc":"2.0", "id":"a", "error":{"code":-32601,"message":"m","x":1}}'],
      'x/needs': [
        400,
        '{"jsonrpc":"2.0","id":"b","error":{"code": -32021,"message":"m","data":{"requiredCapabilities":{}}}}',
      ],
      'x/odd': [400, '{"jsonrpc":"2.0","id":"c","error":{"code": -32602,"message":"m"}}'],
    };
    const upstream = await scriptedModern(({ json }) => {
      const [status, body] = errors[json.method] ?? [];
      return body === undefined ? undefined : { status: status as number, body };
    });
    const client = await rawModernClient(upstream.url);
    for (const [nth, [method, [, body]]] of Object.entries(errors).entries()) {
      const id = 'abc'[nth] as string;
      await asModern(client)(method, {}, id);
      expect((await client.receive((json) => json.id === id)).raw).toBe(body);
    }
    expect(await client.request('server/discover', { _meta: modernMeta() })).toHaveProperty('result');
  });

  test('a tool with an invalid annotation is not shown; a list without one keeps its bytes', async () => {
    const valid = {
      name: 'valid',
      inputSchema: { type: 'object', properties: { a: { type: 'string', 'x-mcp-header': 'A' } } },
    };
    const invalid = { ...valid, name: 'invalid', inputSchema: { type: 'object', 'x-mcp-header': 'A' } };
    let tools = [valid, invalid];
    const body = () => `{"jsonrpc":"2.0","id":"a","result":{"tools":${JSON.stringify(tools)}, "x":1.0}}`;
    const upstream = await scriptedModern(
      onMethod('tools/list', ({ json }) =>
        json.id === 'a'
          ? { body: body(), headers: { 'content-type': 'application/json' } }
          : answered(json.id, { tools }),
      ),
    );
    const first = await rawModernClient(upstream.url);
    expect(await asModern(first)('tools/list', {}, 'a')).toMatchObject({ result: { tools: [valid], x: 1 } });
    await expect.poll(() => first.stderr()).toContain('a tool is not shown tool=invalid');
    tools = [valid];
    const second = await rawModernClient(upstream.url);
    await asModern(second)('tools/list', {}, 'a');
    expect((await second.receive(({ id }) => id === 'a')).raw).toBe(body());
  });

  test('a call whose arguments are mirrored is answered, also when nobody has listed the tools', async () => {
    const { upstream } = await modernUpstream();
    const ask = asModern(await rawModernClient(upstream.url));
    const route = { name: 'route', arguments: { region: ' Zürich ', place: { floor: 7 } } };
    // The server refuses what is not mirrored (-32020); the tools are listed, and the call goes out once more.
    expect(await ask('tools/call', route)).toMatchObject({ result: { content: [{ text: ' Zürich ' }] } });
    const calls = upstream.requests.filter(({ tool }) => tool === 'route');
    expect(calls.map(({ status }) => status)).toEqual([400, 200]);
    expect(calls[1]?.headers).toMatchObject({ 'mcp-param-region': '=?base64?IFrDvHJpY2gg?=', 'mcp-param-floor': '7' });
    expect(await ask('tools/call', route)).toMatchObject({ result: { content: [{ text: ' Zürich ' }] } });
    expect(upstream.count({ tool: 'route' })).toBe(3);
  });

  test('cancelling closes the stream of the request, and says nothing else', async () => {
    const upstream = await scriptedModern(
      onMethod('tools/call', (arrived) => {
        openStream(arrived);
        arrived.response.write(': open\n\n');
        return 'own';
      }),
    );
    const client = await rawModernClient(upstream.url);
    client.send({ id: 'a', method: 'tools/call', params: { name: 't', _meta: modernMeta() } });
    const { response } = await upstream.waitFor(({ json }) => json.method === 'tools/call');
    const closed = once(response, 'close');
    client.notify('notifications/cancelled', { requestId: 'a', _meta: modernMeta() });
    await closed;
    await client.request('ping');
    expect(client.lines.map(({ json }) => json.id)).not.toContain('a');
    expect(upstream.arrived.map(({ json }) => json.method)).not.toContain('notifications/cancelled');
  });

  test('a call whose stream is cut is neither resumed nor repeated, and its outcome is unknown', async () => {
    const upstream = await scriptedModern(
      onMethod('tools/call', (arrived) => {
        openStream(arrived);
        arrived.response.write('id: 1\ndata: \n\n', () => arrived.socket.destroy());
        return 'own';
      }),
    );
    const client = await rawModernClient(upstream.url);
    const { result } = await asModern(client)('tools/call', { name: 't' });
    expect(result).toMatchObject({
      isError: true,
      ...complete,
      content: [{ text: expect.stringMatching(/^OUTCOME_UNKNOWN/) }],
    });
    expect(upstream.arrived.filter(({ json }) => json.method === 'tools/call')).toHaveLength(1);
    expect(upstream.others).toEqual([]);
  });
});

describe('what a server does once stays done once', () => {
  const faults: [string, Fault, number][] = [
    ['the request is lost', { kind: 'lose-request' }, 0],
    ['the answer is lost', { kind: 'lose-response' }, 1],
    ['the connection breaks after the headers', { kind: 'cut-after-headers' }, 1],
    ['the answer is 502, and the work was done', { kind: 'html', status: 502, handled: true }, 1],
  ];

  test.each(faults)('when %s, a change is not sent again, and a read is', async (_how, fault, done) => {
    const { upstream, counted } = await modernUpstream();
    const ask = asModern(await rawModernClient(upstream.url));
    await ask('tools/list');
    upstream.faults.next('mcp', fault, { when: { tool: 'count' } });
    const { result } = await ask('tools/call', { name: 'count' });
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/^OUTCOME_UNKNOWN/) }] });
    expect([upstream.count({ tool: 'count' }), counted()]).toEqual([1, done]);
    upstream.faults.next('mcp', fault, { when: { tool: 'add' } });
    const added = await ask('tools/call', { name: 'add', arguments: { a: 1, b: 1 } });
    expect(added.result).toMatchObject({ content: [{ text: '2' }] });
    expect(upstream.count({ tool: 'add' })).toBe(2);
  });

  test('a call that is cancelled while it waits for the sign-in is never sent', async () => {
    const { upstream, counted } = await modernUpstream({ auth: true });
    const home = await homeInTest('ignores');
    const client = spawnRaw({ home, url: upstream.url, args: told });
    client.send({ id: 'a', method: 'tools/call', params: { name: 'count', _meta: modernMeta() } });
    const { url } = await home.browser.tab(1);
    client.notify('notifications/cancelled', { requestId: 'a' });
    await client.request('ping');
    await approve(url);
    expect((await asModern(client)('tools/call', { name: 'count' })).result).toMatchObject({
      content: [{ text: '1' }],
    });
    expect(counted()).toBe(1);
    expect(client.lines.map(({ json }) => json.id)).not.toContain('a');
  });
});
