import { expect, test } from 'vitest';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { certificateAuthority, tlsFrontInTest } from './support/tls-front.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// In production every connection is TLS, and what was surely not sent (P8) is told by its handshake.

async function bridgeOverTls(env: Record<string, string> = { NODE_EXTRA_CA_CERTS: certificateAuthority }) {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const front = await tlsFrontInTest(upstream.url);
  const bridge = await spawnBridge({ home: await homeInTest(), url: `https://localhost:${front.port}/mcp`, env });
  return { upstream, front, bridge };
}

test('calls go over TLS, side by side and one after the other, on connections that are used again', async () => {
  const { upstream, front, bridge } = await bridgeOverTls();
  await bridge.call('count');
  const before = front.connections;
  for (let call = 0; call < 5; call += 1) expect((await bridge.call('count')).isError).toBe(false);
  expect(front.connections - before).toBeLessThan(5);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => bridge.call('notion-search', { query: 'roadmap' })),
  );
  expect(answers.every(({ isError }) => !isError)).toBe(true);
  expect(upstream.executions('count')).toBe(6);
});

test('a change whose handshake fails was not sent: it is sent after all, once', async () => {
  const { upstream, front, bridge } = await bridgeOverTls();
  await bridge.call('count');
  await front.end();
  front.refuse(2);
  expect(await bridge.call('count')).toMatchObject({ isError: false });
  expect(upstream.executions('count')).toBe(2);
});

test('a server whose certificate nobody vouches for is sent nothing, and not asked again', async () => {
  const { upstream, front, bridge } = await bridgeOverTls({});
  const { text, isError } = await bridge.call('count');
  expect(isError).toBe(true);
  expect(text).toMatch(/UPSTREAM_UNREACHABLE: .*self-signed certificate.*NODE_EXTRA_CA_CERTS/s);
  expect(front.connections).toBe(1);
  expect(upstream.requests).toEqual([]);
});
