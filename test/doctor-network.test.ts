import { createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { proxyInTest } from './support/proxy.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { certificateAuthority, tlsFrontInTest } from './support/tls-front.ts';
import { type ToldDoctor, toldDoctor } from './support/told-doctor.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const hour = 3_600_000;
/** What needs an answer of the server. */
const beyond = ['clock', 'discovery', 'server'];

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address ? address.port : expect.fail();
}

/** Only the connection is in trouble, whose fault it is is told, and what needs it is not checked. */
function expectTrouble(told: ToldDoctor, fault: string, what: RegExp): void {
  expect(told.finding('connection')).toMatchObject({ verdict: 'failed', fault, what: expect.stringMatching(what) });
  expect(told.all('not checked')).toEqual(expect.arrayContaining(beyond));
  // the checks of this machine were made all the same
  for (const name of ['store', 'callback port', 'browser', 'logs'])
    expect(told.finding(name)).toMatchObject({ verdict: 'fine' });
}

test('a closed port', async () => {
  const server = createServer();
  const port = await portOf(server);
  await new Promise((resolve) => server.close(resolve));
  expectTrouble(
    await toldDoctor(await homeInTest(), `http://127.0.0.1:${port}/mcp`),
    'the server',
    /^nothing listens at/,
  );
});

test('a name that nobody knows', async () => {
  const told = await toldDoctor(await homeInTest(), 'https://nothing.invalid/mcp');
  expect(told.finding('dns')).toMatchObject({ verdict: 'failed', fault: 'this machine' });
  expect(told.finding('connection')).toMatchObject({ verdict: 'not checked', what: 'needs dns' });
  expect(told.all('not checked')).toEqual(expect.arrayContaining(beyond));
});

test('a network that swallows everything has its report all the same', { timeout: 45_000 }, async () => {
  const silent = createServer((socket) => {
    socket.on('error', () => undefined);
    onTestFinished(() => void socket.destroy());
  });
  onTestFinished(() => void silent.close());
  const url = `https://127.0.0.1:${await portOf(silent)}/mcp`;
  expectTrouble(await toldDoctor(await homeInTest(), url), 'this machine', /^no connection to \S+ in time$/);
});

test('a server that takes the question and gives no answer', { timeout: 45_000 }, async () => {
  const upstream = await upstreamInTest();
  upstream.faults.hold('mcp');
  const told = await toldDoctor(await homeInTest(), upstream.url);
  expectTrouble(told, 'the server', /gives no answer$/);
});

test.each([
  [502, 'the server'],
  [503, 'the server'],
])('a server that answers with status %i', async (status, fault) => {
  const upstream = await upstreamInTest();
  upstream.faults.next('mcp', { kind: 'status', status });
  expectTrouble(await toldDoctor(await homeInTest(), upstream.url), fault, new RegExp(`status ${status}`));
});

test('a certificate that nobody vouches for, and one that somebody does', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const front = await tlsFrontInTest(upstream.url);
  const home = await homeInTest();
  const told = await toldDoctor(home, `https://localhost:${front.port}/mcp`);
  expectTrouble(told, 'this machine', /^the certificate of \S+ is not to be trusted \(self-signed certificate\)$/);
  expect(told.finding('connection').fix).toContain('NODE_EXTRA_CA_CERTS');
  expect(upstream.requests).toEqual([]);

  const env = { NODE_EXTRA_CA_CERTS: certificateAuthority };
  const trusted = await toldDoctor(home, `https://localhost:${front.port}/mcp`, { env });
  expect(trusted.all('failed')).toEqual([]);
  expect(trusted.finding('connection').what).toMatch(/TLSv1\.3, certificate by only for tests$/);
});

test('a certificate for another name is the trouble of the server', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const front = await tlsFrontInTest(upstream.url);
  // it leads every name to the front
  const proxy = await proxyInTest(front.port);
  const env = { NODE_EXTRA_CA_CERTS: certificateAuthority, HTTPS_PROXY: proxy.url };
  const told = await toldDoctor(await homeInTest(), 'https://elsewhere.test/mcp', { env });
  expectTrouble(
    told,
    'the server',
    /^the certificate of elsewhere\.test is not to be trusted \(Hostname.* does not match/,
  );
});

test.each([
  [0, 'fine', /^agrees/],
  [600_000, 'warning', /^(9|10) minutes behind/],
  [3 * hour, 'failed', /^(2|3) hours behind/],
])('a clock that is %i ms behind that of the server', async (ms, verdict, what) => {
  const upstream = await upstreamInTest({ auth: false });
  upstream.clock.advance(ms);
  const told = await toldDoctor(await homeInTest(), upstream.url);
  expect(told.finding('clock')).toMatchObject({ verdict, what: expect.stringMatching(what) });
  if (verdict !== 'fine') expect(told.finding('clock').fault).toBe('this machine');
});

test('discovery that fails, and one that offers no registration', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  upstream.faults.next('metadata', { kind: 'status', status: 503 });
  const told = await toldDoctor(home, upstream.url);
  expect(told.finding('discovery')).toMatchObject({
    verdict: 'failed',
    fault: 'the server',
    what: expect.stringMatching(/AUTHORIZATION_SERVER_MISBEHAVED/),
  });

  const withoutRegistration = (body: Record<string, unknown>) => ({ ...body, registration_endpoint: undefined });
  const path = '/.well-known/oauth-authorization-server';
  upstream.faults.next('metadata', { kind: 'rewrite', json: withoutRegistration }, { when: { path } });
  const closed = await toldDoctor(home, upstream.url);
  expect(closed.finding('registration')).toMatchObject({
    verdict: 'failed',
    fault: 'the server',
    fix: expect.stringMatching(/--client-id/),
  });
});

test('a proxy is told without its password; one that wants another, or is not there, is the trouble of this machine', async () => {
  const upstream = await upstreamInTest({ auth: false });
  const front = await tlsFrontInTest(upstream.url);
  const proxy = await proxyInTest(front.port);
  const home = await homeInTest();
  const through = (HTTPS_PROXY: string) =>
    toldDoctor(home, 'https://upstream.test/mcp', {
      env: { NODE_EXTRA_CA_CERTS: certificateAuthority, HTTPS_PROXY },
    });
  const { host } = new URL(proxy.url);
  const told = await through(proxy.url);
  expect(told.all('failed')).toEqual([]);
  expect(told.finding('proxy').what).toMatch(`http://${host}, for upstream.test;`);
  expect(told.finding('dns').what).toBe('127.0.0.1 is an address');

  const refused = await through(`http://ada:wrong-password@${host}`);
  expectTrouble(refused, 'this machine', /^the proxy wants another user name or password \(status 407\)$/);
  expectTrouble(
    await through('http://ada:lost-password@127.0.0.1:9'),
    'this machine',
    /^could not connect through 127/,
  );
  const odd = await through('http://ada:odd-password@:port');
  expect(odd.finding('proxy')).toMatchObject({ verdict: 'failed', fault: 'this machine' });
  expect(odd.finding('dns').verdict).toBe('not checked');
  for (const { finding, names } of [told, refused, odd])
    expect(JSON.stringify(names.map(finding))).not.toMatch(/ada|secret|password@|wrong-p|odd-p/);
});
