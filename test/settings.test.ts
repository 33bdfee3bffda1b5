import { expect, test } from 'vitest';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import type { Fault } from './support/upstream/faults.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

const setLevel = { rpc: 'logging/setLevel' } as const;
const busy = (seconds: number): Fault => ({
  kind: 'status',
  status: 429,
  headers: { 'retry-after': String(seconds) },
});

/** A client whose session stands. */
async function connected(): Promise<{ upstream: Upstream; client: RawClient }> {
  const upstream = await upstreamInTest({ auth: false });
  const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
  await client.hello();
  await client.call('notion-get-users');
  return { upstream, client };
}

function levels(upstream: Upstream): unknown[] {
  return upstream.requests
    .filter(({ rpc }) => rpc === setLevel.rpc)
    .map(({ json, status }) => [(json as { params: { level: string } }).params.level, status]);
}

test('what upstream says to a setting reaches the client', async () => {
  const { client } = await connected();
  expect(await client.request('logging/setLevel', { level: 'info' })).toMatchObject({ result: {} });
  expect(await client.request('logging/setLevel', { level: 'nonsense' })).toHaveProperty('error');
});

test('a setting that upstream does not take now is answered all the same, and set once upstream takes it', async () => {
  const { upstream, client } = await connected();
  upstream.faults.next('mcp', busy(4), { when: setLevel });
  expect((await client.request('logging/setLevel', { level: 'error' }, 'level')).result).toEqual({});
  expect(levels(upstream)).toEqual([['error', 429]]);
  await upstream.waitFor({ ...setLevel, status: 200 });
  expect(levels(upstream)).toEqual([
    ['error', 429],
    ['error', 200],
  ]);
  await client.request('ping');
  expect(client.lines.filter(({ json }) => json.id === 'level')).toHaveLength(1);
});

test('of two settings on their way, the older does not arrive after the newer', async () => {
  const { upstream, client } = await connected();
  upstream.faults.next('mcp', busy(1), { when: setLevel });
  const older = client.request('logging/setLevel', { level: 'debug' });
  await upstream.waitFor({ ...setLevel, status: 429 });
  const newer = client.request('logging/setLevel', { level: 'error' });
  expect([(await older).result, (await newer).result]).toEqual([{}, {}]);
  upstream.faults.next('mcp', busy(2), { when: { tool: 'notion-get-users' } });
  // By then the older would have been sent again.
  await client.call('notion-get-users');
  expect(levels(upstream)).toEqual([
    ['debug', 429],
    ['error', 200],
  ]);
});
