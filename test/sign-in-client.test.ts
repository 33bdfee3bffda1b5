import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refresh, search } from './support/opened-tab.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { ageTokens } from './support/stored-record.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

// A client that the user brings along, in place of a registration per sign-in (product.md 7).

/** Registers a client by hand, for any port on loopback. */
async function registerByHand(upstream: Upstream, method: string) {
  const metadata = {
    client_name: 'By hand',
    redirect_uris: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: method,
  };
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${upstream.origin}/register`, {
    method: 'POST',
    headers,
    body: JSON.stringify(metadata),
  });
  return (await response.json()) as { client_id: string; client_secret?: string };
}

/** Signs in and refreshes once; the ids of the clients that the token endpoint saw. */
async function clientsSeen(upstream: Upstream, args: string[], home: Awaited<ReturnType<typeof homeInTest>>) {
  const bridge = await spawnBridge({ home, url: upstream.url, args });
  expect(await search(bridge)).toMatchObject({ isError: false });
  await ageTokens(home);
  await upstream.expireAccessTokens();
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(upstream.requests.filter((entry) => entry.grantType === refresh.grantType)).toMatchObject([{ status: 200 }]);
  const token = upstream.requests.filter(({ endpoint }) => endpoint === 'token');
  return [...new Set(token.map(({ clientId }) => clientId))];
}

test('--client-id signs in and refreshes with that client, and registers none', async () => {
  const upstream = await upstreamInTest();
  const { client_id } = await registerByHand(upstream, 'none');
  expect(await clientsSeen(upstream, [`--client-id=${client_id}`], await homeInTest())).toEqual([client_id]);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('--client-secret-file authenticates that client at the token endpoint', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const { client_id, client_secret = '' } = await registerByHand(upstream, 'client_secret_basic');
  const file = join(home.path, 'client-secret');
  await writeFile(file, `${client_secret}\n`);
  const args = [`--client-id=${client_id}`, '--client-secret-file', file];
  expect(await clientsSeen(upstream, args, home)).toEqual([client_id]);
  expect(upstream.count({ endpoint: 'register' })).toBe(1);
});

test('--client-metadata-url is the client id where the server takes metadata documents', async () => {
  const upstream = await upstreamInTest();
  const clientId = 'https://client.example.test/metadata.json';
  upstream.clientDocuments.set(clientId, {
    client_id: clientId,
    client_name: 'Documented',
    redirect_uris: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: 'none',
  });
  expect(await clientsSeen(upstream, ['--client-metadata-url', clientId], await homeInTest())).toEqual([clientId]);
  expect(upstream.count({ endpoint: 'register' })).toBe(0);
});
