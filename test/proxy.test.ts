import { expect, test } from 'vitest';
import { proxyInTest } from './support/proxy.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { certificateAuthority, tlsFrontInTest } from './support/tls-front.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// The networks that people have (product.md 11).

async function networkInTest() {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const front = await tlsFrontInTest(upstream.url);
  const proxy = await proxyInTest(front.port);
  const env = { NODE_EXTRA_CA_CERTS: certificateAuthority, HTTPS_PROXY: proxy.url };
  return { upstream, front, proxy, env, home: await homeInTest() };
}

test('a server that only the proxy of HTTPS_PROXY can reach is reached through it, on connections that are used again', async () => {
  const { upstream, front, proxy, env, home } = await networkInTest();
  const bridge = await spawnBridge({ home, url: 'https://upstream.test/mcp', env });
  for (let call = 0; call < 5; call += 1) expect((await bridge.call('count')).isError).toBe(false);
  expect(new Set(proxy.asked)).toEqual(new Set(['upstream.test:443']));
  expect(upstream.executions('count')).toBe(5);
  const connections = proxy.asked.length;
  await front.end();
  front.refuse(1);
  expect((await bridge.call('count')).isError).toBe(false);
  expect(upstream.executions('count')).toBe(6);
  expect(proxy.asked.length).toBeGreaterThan(connections);
  expect(bridge.stderr()).not.toContain('secret');
});

test('this machine is never asked of the proxy, nor is what NO_PROXY names', async () => {
  const { front, proxy, env, home } = await networkInTest();
  const local = await spawnBridge({ home, url: `https://localhost:${front.port}/mcp`, env });
  expect((await local.call('count')).isError).toBe(false);
  const args = ['login', '--url', 'https://upstream.test/mcp'];
  const { code, stderr } = await runCommand(home, args, { ...env, NO_PROXY: '.test' }).ended;
  expect(stderr).toContain('UPSTREAM_UNREACHABLE');
  expect(code).toBe(1);
  expect(proxy.asked).toEqual([]);
});
