import { expect, test } from 'vitest';
import { directClient, upstreamInTest } from './in-test.ts';
import { fetchOnce } from './single-request.ts';

// What a test can do to single connections and calls beyond front.test.ts.

const ping = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

/** As much of the answer to `initialize` as comes. */
async function received(url: string): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const headers = { ...ping.headers, accept: 'application/json, text/event-stream' };
  const response = await fetch(url, { method: 'POST', headers, body });
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  } catch {
    // It was cut.
  }
  return text;
}

test('connections are reset as they come, as often as was asked for', async () => {
  const upstream = await upstreamInTest({ auth: false });
  upstream.connections.reset(2);
  await expect(fetchOnce(upstream.url)).rejects.toThrow('fetch failed');
  await expect(fetchOnce(upstream.url)).rejects.toThrow('fetch failed');
  expect((await fetchOnce(`${upstream.origin}/other`)).status).toBe(404);
  expect(upstream.requests).toHaveLength(1);
});

test('a message is cut off before it is read, and nothing else is', async () => {
  const upstream = await upstreamInTest({ auth: false });
  upstream.connections.cutUnread(1);
  expect((await fetchOnce(`${upstream.origin}/other`)).status).toBe(404);
  await expect(fetchOnce(upstream.url, ping)).rejects.toThrow('fetch failed');
  expect(upstream.count({ endpoint: 'mcp' })).toBe(0);
  expect((await fetchOnce(upstream.url, ping)).status).toBe(406);
});

test('cut-in-body lets a share of the answer out', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const whole = await received(upstream.url);
  expect(whole).toContain('serverInfo');
  for (const share of [0.5, 1]) {
    upstream.faults.next('mcp', { kind: 'cut-in-body', share });
    expect(await received(upstream.url)).toBe(whole.slice(0, Math.ceil(whole.length * share)));
  }
});

test('what was held can meet a fault in the end', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await directClient(upstream);
  const gate = upstream.faults.hold('mcp', { when: { tool: 'count' }, next: { kind: 'status', status: 503 } });
  const call = client.callTool({ name: 'count' });
  await gate.arrived;
  gate.release();
  await expect(call).rejects.toMatchObject({ code: 503 });
  expect(upstream.executions('count')).toBe(0);
});

test('keyed tools count for each key', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const client = await directClient(upstream);
  for (const key of ['a', 'b', 'a']) await client.callTool({ name: 'write', arguments: { key } });
  expect(upstream.executions('write a')).toBe(2);
  expect(upstream.executions('write b')).toBe(1);
});
