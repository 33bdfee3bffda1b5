import { describe, expect, test } from 'vitest';
import { directClient, knock, upstreamInTest } from './in-test.ts';
import { refresh, register, signIn } from './oauth-client.ts';
import { fetchOnce } from './single-request.ts';
import { startUpstream, type Upstream } from './upstream.ts';

const ACCEPTED = 400;
const REFRESH = { endpoint: 'token', grantType: 'refresh_token' } as const;

/** Whether the grant's refresh token was rotated, asked of the strict server itself. */
async function wasRotated({ origin }: Upstream, clientId: string, refreshToken: string): Promise<boolean> {
  return (await refresh(origin, clientId, refreshToken)).status !== 200;
}

describe('faults at the token endpoint', () => {
  test('lose-request cuts the connection before the work', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    upstream.faults.next('token', { kind: 'lose-request' });
    await expect(refresh(upstream.origin, clientId, tokens.refresh_token)).rejects.toThrow('fetch failed');
    expect(upstream.requests.at(-1)).toMatchObject({ ...REFRESH, lost: true });
    expect(await wasRotated(upstream, clientId, tokens.refresh_token)).toBe(false);
  });

  test('lose-response cuts it after the work', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    upstream.faults.next('token', { kind: 'lose-response' });
    await expect(refresh(upstream.origin, clientId, tokens.refresh_token)).rejects.toThrow('fetch failed');
    expect(await wasRotated(upstream, clientId, tokens.refresh_token)).toBe(true);
  });

  test('cut-after-headers sends the status and not the body', async () => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    upstream.faults.next('token', { kind: 'cut-after-headers' });
    const body = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: tokens.refresh_token,
    });
    // Not on a connection of its own: with `connection: close` Node's fetch takes a cut body for a whole one.
    const response = await fetch(`${upstream.origin}/token`, { method: 'POST', body });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow('terminated');
    expect(await wasRotated(upstream, clientId, tokens.refresh_token)).toBe(true);
  });

  test.each([false, true])(
    'status, html and garbage-json answer in its place; the work is done: %s',
    async (handled) => {
      const upstream = await upstreamInTest({ mode: 'strict' });
      const { origin, faults } = upstream;
      const { clientId, tokens } = await signIn(origin);
      const post = () =>
        fetchOnce(`${origin}/token`, {
          method: 'POST',
          body: new URLSearchParams({
            grant_type: 'refresh_token',
            client_id: clientId,
            refresh_token: tokens.refresh_token,
          }),
        });
      faults.next('token', { kind: 'status', status: 503, body: { error: 'busy' }, headers: { 'retry-after': '7' } });
      faults.next('token', { kind: 'html' });
      faults.next('token', { kind: 'garbage-json', handled });

      const busy = await post();
      expect([busy.status, busy.headers.get('retry-after'), await busy.json()]).toEqual([503, '7', { error: 'busy' }]);
      const html = await post();
      expect([html.status, html.headers.get('content-type')]).toEqual([502, 'text/html']);
      const garbage = await post();
      expect(garbage.status).toBe(200);
      await expect(garbage.json()).rejects.toThrow(SyntaxError);
      expect(await wasRotated(upstream, clientId, tokens.refresh_token)).toBe(handled);
    },
  );

  test('rewrite edits the real answer', async () => {
    const upstream = await upstreamInTest();
    const { clientId, tokens } = await signIn(upstream.origin);
    upstream.faults.next('token', { kind: 'rewrite', json: ({ refresh_token, ...rest }) => rest });
    const answer = await refresh(upstream.origin, clientId, tokens.refresh_token);
    expect(answer.tokens).not.toHaveProperty('refresh_token');
    expect(await knock(upstream, answer.tokens.access_token)).toBe(ACCEPTED);
  });

  test('delay answers late', async () => {
    const upstream = await upstreamInTest();
    const { clientId, tokens } = await signIn(upstream.origin);
    upstream.faults.next('token', { kind: 'delay', ms: 60 });
    const began = performance.now();
    expect((await refresh(upstream.origin, clientId, tokens.refresh_token)).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThan(50);
  });

  test.each([false, true])('hold keeps one request until released; the work is done before: %s', async (handled) => {
    const upstream = await upstreamInTest({ mode: 'strict' });
    const { clientId, tokens } = await signIn(upstream.origin);
    const gate = upstream.faults.hold('token', { handled });
    const answer = refresh(upstream.origin, clientId, tokens.refresh_token);
    expect((await gate.arrived).grantType).toBe('refresh_token');
    expect(await knock(upstream, tokens.access_token)).toBe(handled ? 401 : ACCEPTED);
    expect(upstream.requests.find(({ grantType }) => grantType === 'refresh_token')?.status).toBeUndefined();
    gate.release();
    expect((await answer).status).toBe(200);
  });
});

describe('faults elsewhere', () => {
  test('each endpoint has its own queue, used in order', async () => {
    const { origin, url, faults } = await upstreamInTest();
    faults.next('mcp', { kind: 'status', status: 500 });
    faults.next('mcp', { kind: 'status', status: 502 });
    faults.next('metadata', { kind: 'status', status: 404 });
    faults.next('register', { kind: 'status', status: 429 });
    faults.next('authorize', { kind: 'html', status: 403 });
    const status = async (path: string): Promise<number> => (await fetchOnce(path, { method: 'POST' })).status;
    const wellKnown = `${origin}/.well-known/oauth-authorization-server`;
    const paths = [url, url, url, wellKnown, `${origin}/register`, `${origin}/authorize`];
    const answers: number[] = [];
    for (const path of paths) answers.push(await status(path));
    expect(answers).toEqual([500, 502, 401, 404, 429, 403]);
  });

  test('times and when choose the requests', async () => {
    const upstream = await upstreamInTest();
    const { clientId, tokens } = await signIn(upstream.origin);
    upstream.faults.next('token', { kind: 'status', status: 500, body: {} }, { times: 2, when: { clientId } });
    await signIn(upstream.origin);
    const statuses: number[] = [];
    for (const _ of [1, 2, 3]) statuses.push((await refresh(upstream.origin, clientId, tokens.refresh_token)).status);
    expect(statuses).toEqual([500, 500, 200]);
  });

  test('an outage lasts until it is cleared', async () => {
    const { origin, faults } = await upstreamInTest();
    faults.next('register', { kind: 'html' }, { times: Number.POSITIVE_INFINITY });
    for (const _ of [1, 2, 3]) await expect(register(origin)).rejects.toThrow(SyntaxError);
    faults.clear();
    expect(await register(origin)).toEqual(expect.any(String));
  });

  test('unauthorized is a challenge for a token that is good', async () => {
    const upstream = await upstreamInTest();
    const { tokens } = await signIn(upstream.origin);
    upstream.faults.next('mcp', { kind: 'unauthorized' });
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const response = await fetchOnce(upstream.url, { headers });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain(upstream.resourceMetadataUrl);
    expect(await knock(upstream, tokens.access_token)).toBe(ACCEPTED);
  });

  test('lose-response lets a tool run to its end', async () => {
    const upstream = await upstreamInTest({ auth: false, testTools: true });
    const client = await directClient(upstream);
    upstream.faults.next('mcp', { kind: 'lose-response' }, { when: { tool: 'slow' } });
    const began = performance.now();
    await expect(client.callTool({ name: 'slow', arguments: { ms: 100 } })).rejects.toThrow('fetch failed');
    expect(performance.now() - began).toBeGreaterThan(90);
    expect(upstream.executions('slow')).toBe(1);
  });

  test('what was not used is named, and misuse throws', async () => {
    const upstream = await startUpstream({ auth: false });
    upstream.faults.next('token', { kind: 'lose-request' }, { times: 2 });
    upstream.faults.hold('mcp');
    upstream.faults.next('mcp', { kind: 'html' }, { times: Number.POSITIVE_INFINITY });
    const wait = upstream.waitFor({ endpoint: 'register' });
    const unmet = 'wait for {"endpoint":"register"}, match 1, answered';
    expect(upstream.unused()).toEqual(['token lose-request, 2 left', 'mcp hold, 1 left', unmet]);
    expect(() => upstream.faults.next('mcp', { kind: 'html' }, { times: 0 })).toThrow(RangeError);
    expect(() => upstream.faults.next('nowhere' as 'mcp', { kind: 'html' })).toThrow(TypeError);
    expect(() => upstream.faults.next('mcp', { kind: 'explode' } as never)).toThrow(TypeError);
    expect(() => upstream.waitFor({}, { nth: 0 })).toThrow(RangeError);
    await expect(upstream.start()).rejects.toThrow('listening already');
    await upstream.stop();
    await expect(wait).rejects.toThrow('the upstream stopped');
    await expect(upstream.stop()).rejects.toThrow('not listening');
  });
});

describe('the log', () => {
  test('counts by endpoint, grant type and client', async () => {
    const upstream = await upstreamInTest();
    const { clientId, tokens } = await signIn(upstream.origin);
    await refresh(upstream.origin, clientId, tokens.refresh_token);
    await signIn(upstream.origin);
    expect(upstream.count({ endpoint: 'register' })).toBe(2);
    expect(upstream.count({ endpoint: 'token', grantType: 'authorization_code' })).toBe(2);
    expect(upstream.count({ ...REFRESH, clientId })).toBe(1);
    expect(upstream.count({ endpoint: 'authorize', method: 'GET', clientId })).toBe(1);
    expect(upstream.count(({ status }) => status === 302)).toBe(2);
  });

  test('waitFor resolves with the request it names, past or to come', async () => {
    const upstream = await upstreamInTest();
    const second = upstream.waitFor({ endpoint: 'register' }, { nth: 2 });
    await register(upstream.origin);
    await register(upstream.origin);
    expect((await second).status).toBe(201);
    expect(upstream.requests.indexOf(await second)).toBe(1);
    expect(upstream.requests.indexOf(await upstream.waitFor({ endpoint: 'register' }))).toBe(0);
    const held = upstream.faults.hold('register');
    const third = upstream.waitFor({ endpoint: 'register' }, { nth: 3, stage: 'arrived' });
    const pending = register(upstream.origin);
    expect((await third).status).toBeUndefined();
    held.release();
    await pending;
  });
});

test('stop refuses connections; start takes the same port and keeps grants and pages', async () => {
  const upstream = await upstreamInTest();
  const { url } = upstream;
  const { clientId, tokens } = await signIn(upstream.origin);
  const client = await directClient(upstream, { accessToken: tokens.access_token });
  await client.callTool({ name: 'notion-create-pages', arguments: { pages: [{ properties: { title: 'Kept' } }] } });
  await client.close();
  await upstream.stop();
  await expect(knock(upstream, tokens.access_token)).rejects.toThrow('fetch failed');
  await upstream.start();
  expect([upstream.url, upstream.sessions]).toEqual([url, []]);
  expect(await knock(upstream, tokens.access_token)).toBe(ACCEPTED);
  expect((await refresh(upstream.origin, clientId, tokens.refresh_token)).status).toBe(200);
  expect(upstream.workspace.search('Kept')).toHaveLength(1);
});
