import { expect, onTestFinished, test } from 'vitest';
import { refresh } from './support/opened-tab.ts';
import { OtherMake, visit } from './support/other-make.ts';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { ageTokens } from './support/stored-record.ts';

test('at an authorization server of another make: one sign-in, one refresh for four, and no reuse of a rotated token', async () => {
  const upstream = await OtherMake.open();
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  const home = await homeInTest('ignores');
  const bridges = await Promise.all([1, 2, 3, 4].map(() => spawnBridge({ home, url: upstream.url })));
  const everybody = () => Promise.all(bridges.map((bridge) => bridge.call('notion-search', { query: 'roadmap' })));
  const good = bridges.map(() => expect.objectContaining({ isError: false }));

  const first = everybody();
  const tab = await home.browser.tab(1);
  expect(await visit(tab.url)).toContain('Connected');
  expect(await first).toEqual(good);
  expect(home.browser.tabs).toHaveLength(1);
  expect(upstream.count({ endpoint: 'register', status: 201 })).toBe(1);
  expect(upstream.count({ endpoint: 'token' })).toBe(1);

  for (const refreshes of [1, 2]) {
    await ageTokens(home);
    await upstream.expireAccessTokens();
    expect(await everybody()).toEqual(good);
    expect(upstream.count({ ...refresh, status: 200 })).toBe(refreshes);
    expect(upstream.count({ endpoint: 'token' })).toBe(1 + refreshes);
  }
  const record = await home.record();
  expect(record).toMatchObject({ state: 'connected', generation: 3 });

  // Whoever presents a rotated token at this server ends the grant: that none of the four did is what served them so far.
  expect(await present(upstream, record?.grant?.registration.client_id, record?.grant?.previous)).toBe(400);
  await ageTokens(home);
  await upstream.expireAccessTokens();
  const reconnected = everybody();
  expect(await visit((await home.browser.tab(2)).url)).toContain('Connected');
  await reconnected;
  expect(await everybody()).toEqual(good);
  expect(home.browser.tabs).toHaveLength(2);
});

async function present(upstream: OtherMake, clientId = '', refreshToken = ''): Promise<number> {
  const form = { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken };
  const response = await fetch(new URL('/token', upstream.url), { method: 'POST', body: new URLSearchParams(form) });
  return response.status;
}
