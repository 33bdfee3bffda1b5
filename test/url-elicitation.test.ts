import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  type ClientCapabilities,
  type ElicitationCompleteNotification,
  ElicitationCompleteNotificationSchema,
  type ElicitRequest,
  ElicitRequestSchema,
  type ElicitResult,
} from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import { modernMeta, told } from './support/modern-client.ts';
import { modernUpstream } from './support/modern-upstream.ts';
import { linkIn, search } from './support/opened-tab.ts';
import { type RawClient, spawnRaw } from './support/raw-client.ts';
import { type Home, homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { ageTokens } from './support/stored-record.ts';
import { approve, deny } from './support/upstream/browser.ts';
import { deferred } from './support/upstream/deferred.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const byUrl = { elicitation: { url: {} } } satisfies ClientCapabilities;

/** What the client was asked, and what it was told. */
interface Dialog {
  asked: ElicitRequest['params'][];
  completed: Promise<ElicitationCompleteNotification['params']>;
}

/** Somebody has said no in the one tab: from now on calls get links, at once. */
async function declinedHome(url: string): Promise<Home> {
  const home = await homeInTest('denies');
  const earlier = await spawnBridge({ home, url });
  expect((await search(earlier)).text).toMatch(/^AUTHORIZATION_DENIED/);
  await earlier.close();
  home.browser.person = 'ignores';
  return home;
}

/** A client of the SDK that can show links. */
async function client(home: Home, url: string, answer: () => ElicitResult | Promise<ElicitResult>) {
  const asked: Dialog['asked'] = [];
  const { promise: completed, resolve } = deferred<ElicitationCompleteNotification['params']>();
  const prepare = (sdk: Client) => {
    sdk.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked.push(params);
      return answer();
    });
    sdk.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) => resolve(params));
  };
  const bridge = await spawnBridge({ home, url, capabilities: byUrl, prepare });
  return { ...bridge, asked, completed };
}

/** The same without an SDK, which sees each line. */
async function rawClient(home: Home, url: string, capabilities: object = byUrl): Promise<RawClient> {
  const raw = spawnRaw({ home, url });
  await raw.hello({ capabilities: { ...capabilities } });
  return raw;
}

function dialogs({ lines }: RawClient): string[] {
  const methods = lines.map(({ json }) => json.method).filter((method) => method !== undefined);
  return methods.filter((method) => !/list_changed$/.test(method));
}

const isOffer = ({ method }: { method?: string }) => method === 'elicitation/create';

test('where no tab opens, the link is offered in the client, once, and the client hears when the sign-in is done', async () => {
  const upstream = await upstreamInTest();
  const bridge = await client(await declinedHome(upstream.url), upstream.url, () => ({ action: 'accept' }));
  const { text } = await search(bridge);
  expect(text).toMatch(/^REAUTH_REQUIRED: /);
  const url = linkIn(text);
  for (let call = 0; call < 3; call += 1) expect(linkIn((await search(bridge)).text)).toBe(url);
  expect(bridge.asked).toEqual([
    { mode: 'url', url, elicitationId: expect.any(String), message: expect.stringContaining('sign-in') },
  ]);

  await approve(url);
  expect(bridge.asked).toMatchObject([await bridge.completed]);
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(bridge.asked).toHaveLength(1);
});

test.each<[string, () => ElicitResult | Promise<ElicitResult>]>([
  ['declines', () => ({ action: 'decline' })],
  ['dismisses the dialog', () => ({ action: 'cancel' })],
  ['fails', () => Promise.reject(new Error('no dialogs today'))],
])('a client that %s gets the answers that it would get anyhow, and is not asked again', async (_how, answer) => {
  const upstream = await upstreamInTest();
  const bridge = await client(await declinedHome(upstream.url), upstream.url, answer);
  const { text } = await search(bridge);
  await expect.poll(() => bridge.asked).toHaveLength(1);
  expect((await search(bridge)).text).toBe(text);
  await approve(linkIn(text));
  expect(await search(bridge)).toMatchObject({ isError: false });
  expect(bridge.asked).toHaveLength(1);
});

test('the answer of a call waits for no dialog; one that is still open when the sign-in ends is withdrawn', async () => {
  const upstream = await upstreamInTest();
  const raw = await rawClient(await declinedHome(upstream.url), upstream.url);
  const url = linkIn(await raw.textOf('notion-get-users'));
  const { id, params } = (await raw.receive(isOffer)).json;
  expect(params.url).toBe(url);
  await deny(url);
  const withdrawn = await raw.receive(({ method }) => method === 'notifications/cancelled');
  expect(withdrawn.json.params).toMatchObject({ requestId: id });
  raw.send({ id, result: { action: 'accept' } });

  // After a "no" there is another sign-in, with a dialog of its own.
  const next = linkIn(await raw.textOf('notion-get-users'));
  const again = (await raw.receive(isOffer, 2)).json;
  expect(again.params.url).toBe(next);
  expect(again.params.elicitationId).not.toBe(params.elicitationId);
  expect(dialogs(raw)).toEqual(['elicitation/create', 'notifications/cancelled', 'elicitation/create']);
  expect(JSON.stringify(upstream.requests)).not.toContain('elicitation/create');
});

test('a tab that opens by itself is enough: the link is offered with the first answer that brings it without one', async () => {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  const raw = await rawClient(home, upstream.url);
  await raw.call('notion-get-users');
  await ageTokens(home);
  await upstream.revokeGrants();
  home.browser.person = 'ignores';
  expect(await raw.textOf('notion-get-users')).toMatch(/^AUTHORIZATION_TIMED_OUT/);
  expect(dialogs(raw)).toEqual([]);
  expect(await raw.textOf('notion-get-users')).toMatch(/^REAUTH_REQUIRED/);
  expect(dialogs(raw)).toEqual(['elicitation/create']);
});

test('every process offers the link once, notion-connect while it waits', async () => {
  const upstream = await upstreamInTest();
  const home = await declinedHome(upstream.url);
  const caller = await rawClient(home, upstream.url);
  const url = linkIn(await caller.textOf('notion-get-users'));
  const connector = await rawClient(home, upstream.url);
  const connected = connector.textOf('notion-connect');
  expect((await connector.receive(isOffer)).json.params.url).toBe(url);
  await approve(url);
  expect(await connected).toContain('Connected to Notion (embedded)');
  for (const raw of [caller, connector]) {
    await raw.receive(({ method }) => method === 'notifications/cancelled');
    expect(dialogs(raw)).toEqual(['elicitation/create', 'notifications/cancelled']);
  }
});

test.each<[string, object]>([
  ['nothing', {}],
  ['forms alone', { elicitation: { form: {} } }],
  ['elicitation without a mode, which means forms', { elicitation: {} }],
])('a client that declares %s is asked nothing', async (_what, capabilities) => {
  const upstream = await upstreamInTest();
  const raw = await rawClient(await declinedHome(upstream.url), upstream.url, capabilities);
  expect(await raw.textOf('notion-get-users')).toMatch(/^REAUTH_REQUIRED/);
  await raw.request('ping');
  expect(dialogs(raw)).toEqual([]);
});

test('lists, and a client that is not initialised, lead to no dialog', async () => {
  const upstream = await upstreamInTest();
  const raw = spawnRaw({ home: await declinedHome(upstream.url), url: upstream.url });
  const clientInfo = { name: 'raw-client', version: '1.0.0' };
  await raw.request('initialize', { protocolVersion: '2025-11-25', capabilities: byUrl, clientInfo });
  await raw.textOf('notion-get-users');
  raw.notify('notifications/initialized');
  await raw.request('tools/list');
  await raw.request('resources/read', { uri: 'notion://page/none' });
  expect(dialogs(raw)).toEqual([]);
  await raw.textOf('notion-get-users');
  expect(dialogs(raw)).toEqual(['elicitation/create']);
});

test('in the era in which servers ask nothing (2026-07-28), the link stays in the result', async () => {
  const { upstream } = await modernUpstream({ auth: true });
  const raw = spawnRaw({ home: await homeInTest(), url: upstream.url, args: [...told, '--no-browser'] });
  const _meta = modernMeta({ 'io.modelcontextprotocol/clientCapabilities': byUrl });
  const { result } = await raw.request('tools/call', { name: 'add', arguments: { a: 1, b: 1 }, _meta });
  expect(linkIn(result.content[0].text)).toContain('/authorize?');
  await raw.request('ping');
  expect(dialogs(raw)).toEqual([]);
});
