import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createHttp, readBody } from '../src/http.ts';
import { clockInTest } from './support/clock.ts';
import { line } from './support/line.ts';
import { onMethod, openStream } from './support/scripted-upstream.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { certificateAuthority, tlsFrontInTest } from './support/tls-front.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// A laptop that slept, or that is in another network by now: connections are dead, and nobody says so.

/** Requests one after the other, and the connections that they travelled on, by their ports here. */
async function travelling(connection: 'pooled' | 'recent') {
  const ports: (number | undefined)[] = [];
  const server = createServer((request, response) => {
    ports.push(request.socket.remotePort);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
  const clock = clockInTest();
  const machine = { addresses: '192.0.2.1' };
  const http = createHttp(
    clock,
    () => '',
    () => machine.addresses,
  );
  onTestFinished(() => {
    http.closeIdle();
    server.close();
  });
  /** True when the connection is the one before. */
  const travels = async () => {
    await readBody(await http.request(url, { method: 'POST', headers: {}, body: '{}', connection }), 100);
    // The agent takes the connection back in the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    return ports.at(-1) === ports.at(-2);
  };
  await travels();
  return { clock, machine, travels };
}

test.each(['pooled', 'recent'] as const)('a %s connection is used again as long as nothing happens', async (kind) => {
  const { clock, travels } = await travelling(kind);
  clock.advance(1_500);
  expect(await travels()).toBe(true);
});

test.each(['pooled', 'recent'] as const)('a %s connection is not used again after a sleep', async (kind) => {
  const { clock, travels } = await travelling(kind);
  clock.step(3_600_000);
  expect(await travels()).toBe(false);
  expect(await travels()).toBe(true);
});

// regression: what was sent on such a connection waited for a quarter of an hour, until the kernel gave it up
test.each(['pooled', 'recent'] as const)('a %s connection is not used again in another network', async (kind) => {
  const { clock, machine, travels } = await travelling(kind);
  machine.addresses = '198.51.100.7';
  clock.advance(1_000);
  expect(await travels()).toBe(false);
  expect(await travels()).toBe(true);
});

/** After how much silence, ms, the kernel probes each connection from here to this port; undefined: never. */
function probes(port: number): (number | undefined)[] {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const columns = rows.map((row) => row.trim().split(/\s+/));
  const established = columns.filter(([, , to = '', state]) => to.endsWith(remote) && state === '01');
  return established.map(([, , , , , timer = '']) => {
    const [kind, ticks = ''] = timer.split(':');
    return kind === '02' ? Number.parseInt(ticks, 16) * 10 : undefined;
  });
}

const areFound = (silences: (number | undefined)[]) => silences.every((ms = Infinity) => ms <= 30_000);

test.runIf(process.platform === 'linux')(
  'a connection whose other end is gone is found by the kernel: of a call, of a resumed one, of the event stream',
  async () => {
    const { upstream, client } = await line(
      onMethod('tools/call', (arrived) => {
        openStream(arrived);
        arrived.response.write('id: 1\nretry: 100\ndata:\n\n');
        if (arrived.json.id === 'resumed') arrived.response.end();
        return 'own';
      }),
      (_request, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders(),
    );
    for (const id of ['open', 'resumed']) client.send({ id, method: 'tools/call', params: { name: 't' } });
    await upstream.waitForOther(({ headers }) => headers['last-event-id'] === '1');
    const port = Number(new URL(upstream.url).port);
    await expect.poll(() => areFound(probes(port))).toBe(true);
    expect(probes(port).length).toBeGreaterThanOrEqual(3);
  },
);

test.runIf(process.platform === 'linux')('the same over TLS', async () => {
  const upstream = await upstreamInTest({ auth: false, testTools: true });
  const front = await tlsFrontInTest(upstream.url);
  const env = { NODE_EXTRA_CA_CERTS: certificateAuthority };
  const bridge = await spawnBridge({ home: await homeInTest(), url: `https://localhost:${front.port}/mcp`, env });
  const gate = upstream.faults.hold('mcp', { when: { tool: 'count' } });
  const call = bridge.call('count');
  await gate.arrived;
  await upstream.waitFor({ endpoint: 'mcp', method: 'GET', status: 200 });
  await expect.poll(() => areFound(probes(front.port))).toBe(true);
  expect(probes(front.port).length).toBeGreaterThanOrEqual(2);
  gate.release();
  await call;
});
