import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { approve, approveUnfollowed, deny } from './support/upstream/browser.ts';
import { knock, upstreamInTest } from './support/upstream/in-test.ts';
import {
  authorizationRequest,
  redeem,
  refresh,
  register,
  signIn,
  tokenRequest,
} from './support/upstream/oauth-client.ts';

// The embedded authorization server behaves as notion-wire.md says. The front and the MCP side have their own tests
// beside them.

const ACCEPTED = 400;

async function json(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

/** A client's loopback listener; resolves to the parameters that its callback got. */
async function listener(): Promise<{ redirectUri: string; called: Promise<URLSearchParams> }> {
  let arrived: (parameters: URLSearchParams) => void = () => {};
  const called = new Promise<URLSearchParams>((resolve) => {
    arrived = resolve;
  });
  const server = createServer((request, response) => {
    arrived(new URL(request.url ?? '', 'http://127.0.0.1').searchParams);
    response.end('Connected');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { redirectUri: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`, called };
}

describe('discovery', () => {
  test('a request without a token is challenged as by Notion', async () => {
    const { url, origin } = await upstreamInTest();
    const response = await fetch(url, { method: 'POST' });
    expect(response.status).toBe(401);
    const document = `${origin}/.well-known/oauth-protected-resource/mcp`;
    expect(response.headers.get('www-authenticate')).toBe(`Bearer realm="OAuth", resource_metadata="${document}"`);
  });

  test('the path form of the resource metadata names the MCP endpoint, the root form the origin', async () => {
    const { url, origin } = await upstreamInTest();
    const common = {
      authorization_servers: [origin],
      scopes_supported: ['default'],
      bearer_methods_supported: ['header'],
    };
    const wellKnown = `${origin}/.well-known/oauth-protected-resource`;
    expect(await json(`${wellKnown}/mcp`)).toMatchObject({ resource: url, ...common });
    expect(await json(wellKnown)).toMatchObject({ resource: origin, ...common });
  });

  test('the server metadata has the origin as issuer and does not promise iss', async () => {
    const { origin } = await upstreamInTest();
    const metadata = await json(`${origin}/.well-known/oauth-authorization-server`);
    expect(metadata).toMatchObject({
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
      revocation_endpoint: `${origin}/token`,
      client_id_metadata_document_supported: true,
    });
    expect(metadata).not.toHaveProperty('authorization_response_iss_parameter_supported');
  });

  test('iss is promised and sent only when asked for', async () => {
    const silent = await upstreamInTest();
    const request = authorizationRequest(silent.origin, await register(silent.origin));
    expect(new URL(await approveUnfollowed(request.url)).searchParams.has('iss')).toBe(false);

    const { origin } = await upstreamInTest({ issParameter: true });
    const metadata = await json(`${origin}/.well-known/oauth-authorization-server`);
    expect(metadata.authorization_response_iss_parameter_supported).toBe(true);
    const promised = authorizationRequest(origin, await register(origin));
    expect(new URL(await approveUnfollowed(promised.url)).searchParams.get('iss')).toBe(origin);
  });
});

describe('sign-in', () => {
  test('registration gives a public client', async () => {
    const { origin } = await upstreamInTest();
    const body = { redirect_uris: ['http://127.0.0.1:1/callback'], token_endpoint_auth_method: 'none' };
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${origin}/register`, { method: 'POST', headers, body: JSON.stringify(body) });
    expect(response.status).toBe(201);
    const client = (await response.json()) as Record<string, unknown>;
    expect(client).toMatchObject({ client_id: expect.any(String), token_endpoint_auth_method: 'none' });
    expect(client).not.toHaveProperty('client_secret');
  });

  test('code and PKCE by hand, with a listener on another port than the registered one', async () => {
    const upstream = await upstreamInTest();
    const { origin, url } = upstream;
    const { redirectUri, called } = await listener();
    const client_id = await register(origin, 'http://127.0.0.1:1/callback');
    const code_verifier = randomBytes(32).toString('base64url');
    const code_challenge = createHash('sha256').update(code_verifier).digest('base64url');
    const asked = { response_type: 'code', client_id, redirect_uri: redirectUri, state: 'xyz', resource: url };
    const query = new URLSearchParams({ ...asked, code_challenge, code_challenge_method: 'S256' });

    const page = await approve(`${origin}/authorize?${query}`);
    expect(page).toMatchObject({ status: 200, body: 'Connected' });
    expect((await called).get('state')).toBe('xyz');

    const form = { grant_type: 'authorization_code', client_id, redirect_uri: redirectUri, code_verifier };
    const code = (await called).get('code') ?? '';
    const { status, tokens } = await tokenRequest(origin, { ...form, code, resource: url });
    expect(status).toBe(200);
    expect(tokens).toMatchObject({
      expires_in: 3600,
      scope: 'default',
      resource: url,
      workspace_name: 'Ada’s workspace',
    });
    expect(await knock(upstream, tokens.access_token)).toBe(ACCEPTED);
  });

  test('a wrong verifier does not redeem the code', async () => {
    const { origin } = await upstreamInTest();
    const clientId = await register(origin);
    const callback = new URL(await approveUnfollowed(authorizationRequest(origin, clientId).url));
    const code = callback.searchParams.get('code') ?? '';
    const redirectUri = callback.origin + callback.pathname;
    const answer = await redeem(origin, { clientId, redirectUri, code, verifier: 'x'.repeat(43) });
    expect(answer).toMatchObject({ status: 400, error: 'invalid_grant' });
  });

  test('Deny comes back as access_denied and leaves no grant', async () => {
    const upstream = await upstreamInTest();
    const { redirectUri, called } = await listener();
    const request = authorizationRequest(upstream.origin, await register(upstream.origin, redirectUri), redirectUri);
    await deny(request.url);
    expect(Object.fromEntries(await called)).toMatchObject({ error: 'access_denied', state: 'by-hand' });
    expect(await upstream.grants()).toEqual([]);
  });

  test('an unknown client sees an error page and is not redirected', async () => {
    const { origin } = await upstreamInTest();
    const { url } = authorizationRequest(origin, 'nobody');
    const response = await fetch(url, { redirect: 'manual' });
    expect(response.status).toBe(400);
    expect(response.headers.get('location')).toBeNull();
    await expect(approve(url)).rejects.toThrow(/no Allow button .* invalid_request/s);
  });

  test('127.0.0.1 and localhost are different redirect hosts', async () => {
    const { origin } = await upstreamInTest();
    const clientId = await register(origin, 'http://127.0.0.1:1/callback');
    const { url } = authorizationRequest(origin, clientId, 'http://localhost:1/callback');
    expect((await fetch(url, { redirect: 'manual' })).status).toBe(400);
  });

  test('a second approval ends the earlier grant of the same client and user, and no other', async () => {
    const upstream = await upstreamInTest();
    const first = await signIn(upstream.origin);
    const stranger = await signIn(upstream.origin);
    const colleague = await signIn(upstream.origin, { clientId: first.clientId, user: 'grace' });
    await signIn(upstream.origin, { clientId: first.clientId });
    expect(await knock(upstream, first.tokens.access_token)).toBe(401);
    expect(await knock(upstream, stranger.tokens.access_token)).toBe(ACCEPTED);
    expect(await knock(upstream, colleague.tokens.access_token)).toBe(ACCEPTED);
    expect(colleague.tokens.workspace_name).toBe('Grace’s workspace');
  });

  test('redeeming a code twice revokes the grant', async () => {
    const upstream = await upstreamInTest();
    const signedIn = await signIn(upstream.origin);
    expect(await redeem(upstream.origin, signedIn)).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect(await knock(upstream, signedIn.tokens.access_token)).toBe(401);
    expect(await upstream.grants()).toEqual([]);
  });

  test('a client can be known by its metadata document', async () => {
    const { origin, clientDocuments } = await upstreamInTest();
    const clientId = 'https://client.example.test/metadata.json';
    const redirect_uris = ['http://127.0.0.1:1/callback'];
    clientDocuments.set(clientId, {
      client_id: clientId,
      client_name: 'Documented',
      redirect_uris,
      token_endpoint_auth_method: 'none',
    });
    expect((await signIn(origin, { clientId })).tokens.token_type).toBe('bearer');
    clientDocuments.clear();
    expect((await fetch(authorizationRequest(origin, clientId).url)).status).toBe(400);
  });
});

describe.each(['lenient', 'strict'] as const)('refresh (%s)', (mode) => {
  test('rotates', async () => {
    const upstream = await upstreamInTest({ mode });
    const { clientId, tokens } = await signIn(upstream.origin);
    const first = await refresh(upstream.origin, clientId, tokens.refresh_token);
    const second = await refresh(upstream.origin, clientId, first.tokens.refresh_token);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(new Set([tokens, first.tokens, second.tokens].map((set) => set.refresh_token)).size).toBe(3);
    expect(await knock(upstream, second.tokens.access_token)).toBe(ACCEPTED);
  });

  test("another client's id is refused and does not use up the token", async () => {
    const { origin } = await upstreamInTest({ mode });
    const { clientId, tokens } = await signIn(origin);
    const first = await refresh(origin, clientId, tokens.refresh_token);
    const stranger = await register(origin);
    for (const token of [tokens.refresh_token, first.tokens.refresh_token]) {
      expect(await refresh(origin, stranger, token)).toMatchObject({ status: 400, error: 'invalid_grant' });
    }
    expect((await refresh(origin, clientId, first.tokens.refresh_token)).status).toBe(200);
  });

  test('an older token is invalid_grant', async () => {
    const { origin } = await upstreamInTest({ mode });
    const { clientId, tokens } = await signIn(origin);
    const first = await refresh(origin, clientId, tokens.refresh_token);
    await refresh(origin, clientId, first.tokens.refresh_token);
    expect(await refresh(origin, clientId, tokens.refresh_token)).toMatchObject({
      status: 400,
      error: 'invalid_grant',
    });
  });

  test('revocation of the refresh token ends the grant', async () => {
    const upstream = await upstreamInTest({ mode });
    const { clientId, tokens } = await signIn(upstream.origin);
    const body = new URLSearchParams({ token: tokens.refresh_token, client_id: clientId });
    expect((await fetch(`${upstream.origin}/token`, { method: 'POST', body })).status).toBe(200);
    expect(await knock(upstream, tokens.access_token)).toBe(401);
    expect(upstream.count({ endpoint: 'revoke' })).toBe(1);
    expect(await refresh(upstream.origin, clientId, tokens.refresh_token)).toMatchObject({ error: 'invalid_grant' });
  });
});
