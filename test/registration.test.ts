import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createHttp } from '../src/http.ts';
import { requestRefresh } from '../src/oauth/refresh.ts';
import { obtainClient } from '../src/oauth/registration.ts';
import { connectedRecord } from './support/records.ts';

const http = createHttp(systemClock);

/** An authorization server that answers every POST the same; gives its metadata and what it was asked. */
async function serverInTest(answer: object, status = 201) {
  const asked: { authorization: string | undefined; body: string }[] = [];
  const server = createServer(async (request, response) => {
    asked.push({ authorization: request.headers.authorization, body: await text(request) });
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const metadata = { issuer, token_endpoint: `${issuer}/token`, registration_endpoint: `${issuer}/register` };
  return { metadata, asked };
}

const request = { redirectUri: 'http://127.0.0.1:1/callback', preregistered: {}, now: 7 };

// The authorization server of the official conformance suite answers like the first of these.
test.each([
  { answer: { client_secret: 's' }, supported: ['none'], method: 'none' },
  { answer: { client_secret: 's' }, supported: ['none', 'client_secret_post'], method: 'client_secret_post' },
  { answer: { client_secret: 's' }, supported: undefined, method: 'client_secret_basic' },
  { answer: { client_secret: null }, supported: undefined, method: 'none' },
  { answer: { token_endpoint_auth_method: 'none' }, supported: ['client_secret_post'], method: 'none' },
])('a registration answer that leaves out what it should tell is taken: $answer, $supported', async (given) => {
  const { metadata } = await serverInTest({ client_id: 'me', ...given.answer });
  const methods = given.supported ? { token_endpoint_auth_methods_supported: given.supported } : {};
  const client = await obtainClient({ ...request, server: { ...metadata, ...methods } }, { http });
  expect(client).toMatchObject({ client_id: 'me', token_endpoint_auth_method: given.method, registeredAt: 7 });
  expect(client.client_secret).toBe(given.answer.client_secret ?? undefined);
});

test('a registration that was answered with 200 is taken, and one without a client id is not', async () => {
  const { metadata: server } = await serverInTest({ client_id: 'me' }, 200);
  expect(await obtainClient({ ...request, server }, { http })).toMatchObject({ client_id: 'me' });
  const { metadata: other } = await serverInTest({ client_secret: 's' });
  await expect(obtainClient({ ...request, server: other }, { http })).rejects.toThrow('refused to register a client');
});

// Servers that compare without decoding refuse `my%2Dclient`, which is how oauth4webapi 3.8.8 writes it.
test.each([
  ['my-client_1.0', 'an-ordinary_secret.1', 'my-client_1.0:an-ordinary_secret.1'],
  ['https://a.example/b', 'a b:ü', 'https%3A%2F%2Fa.example%2Fb:a+b%3A%C3%BC'],
])('%s authenticates in Basic with no more escaped than the form encoding wants', async (id, secret, expected) => {
  const { metadata, asked } = await serverInTest({ access_token: 'a', token_type: 'bearer' }, 200);
  const registration = { client_id: id, client_secret: secret, registeredAt: 0 };
  const { grant } = connectedRecord({ authorizationServer: metadata, registration });
  expect(await requestRefresh(grant, 'refresh-1', { http })).toMatchObject({ kind: 'renewed' });
  expect(atob(asked[0]?.authorization?.replace('Basic ', '') ?? '')).toBe(expected);
});
