import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createHttp } from '../src/http.ts';
import { currentIssuer, discover, parseChallenge } from '../src/oauth/discovery.ts';
import { parseRetryAfter, requestRefresh } from '../src/oauth/refresh.ts';
import { connectedRecord } from './support/records.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const http = createHttp(systemClock);
const protectedResource = '/.well-known/oauth-protected-resource';
const oauthServer = '/.well-known/oauth-authorization-server';
const openid = '/.well-known/openid-configuration';

type Answer = object | { status: number } | string;

/** A server that answers what it is told for a path, and 404 otherwise. */
async function serverInTest(answers: (origin: string) => Record<string, Answer>) {
  const asked: { path: string; authorization: string | undefined; form: URLSearchParams }[] = [];
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    asked.push({ path, authorization: request.headers.authorization, form: new URLSearchParams(await text(request)) });
    const answer = answers(origin)[path] ?? { status: 404 };
    const status = typeof answer === 'object' && 'status' in answer ? Number(answer.status) : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = new URL(`${origin}/mcp`);
  return { origin, url, asked, paths: () => asked.map(({ path }) => path) };
}

const metadata = (issuer: string, origin = issuer) => ({
  issuer,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  code_challenge_methods_supported: ['S256'],
});

describe('discovery', () => {
  test('of Notion finds the path form, the resource byte for byte, and the endpoints', async () => {
    const upstream = await upstreamInTest();
    expect(await discover(new URL(upstream.url), {}, { http })).toMatchObject({
      resource: upstream.url,
      resourceMetadataUrl: upstream.resourceMetadataUrl,
      authorizationServer: { issuer: upstream.origin, token_endpoint: `${upstream.origin}/token` },
      scopesSupported: ['default'],
    });
  });

  test('goes where the challenge says, and nowhere else', async () => {
    const { url, origin, paths } = await serverInTest((origin) => ({
      '/elsewhere': { resource: `${origin}/`, authorization_servers: [origin] },
      [oauthServer]: metadata(origin),
    }));
    const found = await discover(url, { resourceMetadataUrl: `${origin}/elsewhere` }, { http });
    expect(found.resource).toBe(`${origin}/`);
    expect(paths()).toEqual(['/elsewhere', oauthServer]);
  });

  test('asks the well-known places in the order of the specification', async () => {
    const { url, origin, paths } = await serverInTest((origin) => ({
      [protectedResource]: { resource: origin, authorization_servers: [`${origin}/tenant`] },
      [`/tenant${openid}`]: metadata(`${origin}/tenant`, origin),
    }));
    expect((await discover(url, {}, { http })).authorizationServer.issuer).toBe(`${origin}/tenant`);
    expect(paths()).toEqual([
      `${protectedResource}/mcp`,
      protectedResource,
      `${oauthServer}/tenant`,
      `${openid}/tenant`,
      `/tenant${openid}`,
    ]);
  });

  test('takes the origin of a server without resource metadata for its authorization server', async () => {
    const { url, origin } = await serverInTest((origin) => ({
      [`${protectedResource}/mcp`]: '<!doctype html>',
      [openid]: metadata(origin),
    }));
    expect(await discover(url, {}, { http })).toEqual({ resource: url.href, authorizationServer: metadata(origin) });
  });

  test('takes the places of the 2025-03-26 revision where a server has no metadata at all', async () => {
    const { url, origin } = await serverInTest(() => ({}));
    expect((await discover(url, {}, { http })).authorizationServer).toEqual({
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
    });
  });

  test('refuses an authorization server that the resource names, and that has no metadata', async () => {
    const { url } = await serverInTest((origin) => ({
      [`${protectedResource}/mcp`]: { resource: `${origin}/mcp`, authorization_servers: [origin] },
    }));
    await expect(discover(url, {}, { http })).rejects.toMatchObject({ code: 'AUTHORIZATION_SERVER_MISBEHAVED' });
  });

  test('forgives a slash after the issuer', async () => {
    const { url, origin } = await serverInTest((origin) => ({
      [`${protectedResource}/mcp`]: { resource: `${origin}/mcp`, authorization_servers: [`${origin}/`] },
      [oauthServer]: metadata(origin),
    }));
    expect((await discover(url, {}, { http })).authorizationServer.issuer).toBe(origin);
  });

  const hostile: Record<string, (origin: string) => object> = {
    'names another issuer': () => metadata('https://other.example'),
    'names no issuer': (origin) => ({ ...metadata(origin), issuer: undefined }),
    'has no token endpoint': (origin) => ({ ...metadata(origin), token_endpoint: undefined }),
    'has a token endpoint in plain http': (origin) => ({ ...metadata(origin), token_endpoint: 'http://a.example/t' }),
    'authorizes in plain http': (origin) => ({ ...metadata(origin), authorization_endpoint: 'http://a.example/a' }),
    'authorizes by a script': (origin) => ({ ...metadata(origin), authorization_endpoint: 'javascript:alert(1)' }),
    'registers in plain http': (origin) => ({ ...metadata(origin), registration_endpoint: 'http://a.example/r' }),
    'has no S256': (origin) => ({ ...metadata(origin), code_challenge_methods_supported: ['plain'] }),
    'is broken': () => ({ status: 500 }),
  };
  test.each(Object.entries(hostile))('refuses an authorization server whose metadata %s', async (_, answer) => {
    const { url } = await serverInTest((origin) => ({ [oauthServer]: answer(origin) }));
    await expect(discover(url, {}, { http })).rejects.toMatchObject({ code: 'AUTHORIZATION_SERVER_MISBEHAVED' });
  });

  const resources: Record<string, (origin: string) => object> = {
    'of another origin': () => ({ resource: 'https://other.example/mcp' }),
    'below the URL': (origin) => ({ resource: `${origin}/mcp/deeper` }),
    'without a name': () => ({ authorization_servers: [] }),
    'with an authorization server in plain http': (origin) => ({
      resource: origin,
      authorization_servers: ['http://a.example'],
    }),
    'with an authorization server that is no URL': (origin) => ({ resource: origin, authorization_servers: ['as'] }),
  };
  test.each(Object.entries(resources))('refuses a resource %s', async (_, answer) => {
    const { url } = await serverInTest((origin) => ({
      [`${protectedResource}/mcp`]: answer(origin),
      [oauthServer]: metadata(origin),
    }));
    await expect(discover(url, {}, { http })).rejects.toMatchObject({ code: 'AUTHORIZATION_SERVER_MISBEHAVED' });
  });

  test('refuses a challenge that leads to plain http', async () => {
    const { url } = await serverInTest(() => ({}));
    const challenge = { resourceMetadataUrl: 'http://a.example/metadata' };
    await expect(discover(url, challenge, { http })).rejects.toMatchObject({ code: 'AUTHORIZATION_SERVER_MISBEHAVED' });
  });

  test('tells a server that cannot be reached apart from one that misbehaves', async () => {
    const upstream = await upstreamInTest();
    const { url } = upstream;
    await upstream.stop();
    const unreachable = { code: 'AUTHORIZATION_SERVER_UNREACHABLE' };
    await expect(discover(new URL(url), {}, { http })).rejects.toMatchObject(unreachable);
    expect(await currentIssuer(upstream.resourceMetadataUrl, { http })).toBeUndefined();
  });
});

test.each([
  [undefined, {}],
  ['Bearer realm="OAuth", resource_metadata="https://a.example/m"', { resourceMetadataUrl: 'https://a.example/m' }],
  ['Bearer error="insufficient_scope", scope="read write"', { error: 'insufficient_scope', scope: 'read write' }],
  [
    'Bearer error=invalid_token,resource_metadata=https://a.example/m',
    { error: 'invalid_token', resourceMetadataUrl: 'https://a.example/m' },
  ],
  ['Bearer realm="a, error=none", error="invalid_token"', { error: 'invalid_token' }],
])('the challenge %s is understood', (header, expected) => {
  const found = Object.entries(parseChallenge(header)).filter(([, value]) => value !== undefined);
  expect(Object.fromEntries(found)).toEqual(expected);
});

test.each([
  ['7', 7_000],
  ['0', 0],
  ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
  ['Wed, 31 Dec 2025 23:00:00 GMT', 0],
  ['soon', undefined],
  [null, undefined],
])('Retry-After: %s is %s ms', (header, expected) => {
  expect(parseRetryAfter(header, () => Date.UTC(2026, 0, 1))).toBe(expected);
});

const basic = `Basic ${Buffer.from('me:hunter2').toString('base64')}`;
test.each([
  { method: 'none', secret: undefined, authorization: undefined, form: { client_id: 'me', client_secret: null } },
  { method: 'none', secret: 'hunter2', authorization: undefined, form: { client_id: 'me', client_secret: null } },
  { method: 'client_secret_basic', secret: 'hunter2', authorization: basic, form: { client_id: null } },
  { method: undefined, secret: 'hunter2', authorization: basic, form: { client_id: null } },
  {
    method: 'client_secret_post',
    secret: 'hunter2',
    authorization: undefined,
    form: { client_id: 'me', client_secret: 'hunter2' },
  },
])('a refresh authenticates by the method of its registration: $method', async ({ method, secret, ...expected }) => {
  const { origin, asked } = await serverInTest(() => ({ '/token': { access_token: 'a', token_type: 'bearer' } }));
  const { grant } = connectedRecord({
    authorizationServer: metadata(origin),
    registration: {
      client_id: 'me',
      registeredAt: 0,
      ...(method === undefined ? {} : { token_endpoint_auth_method: method }),
      ...(secret === undefined ? {} : { client_secret: secret }),
    },
  });
  expect(await requestRefresh(grant, 'refresh-1', { http })).toMatchObject({ kind: 'renewed' });
  const [request] = asked;
  expect(request?.authorization).toBe(expected.authorization);
  const form = { grant_type: 'refresh_token', refresh_token: 'refresh-1', resource: grant.resource, ...expected.form };
  for (const [name, value] of Object.entries(form)) expect(request?.form.get(name)).toBe(value);
});
