import { describe, expect, test } from 'vitest';
import { refresh, search } from './support/opened-tab.ts';
import { homeInTest, type SpawnedBridge, spawnBridge } from './support/spawn-bridge.ts';
import { ageTokens, expireTokens } from './support/stored-record.ts';
import { approve } from './support/upstream/browser.ts';
import { deferred } from './support/upstream/deferred.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { UpstreamOptions } from './support/upstream/upstream.ts';

async function sixBridges(options: UpstreamOptions) {
  const upstream = await upstreamInTest(options);
  const home = await homeInTest();
  const bridges = await Promise.all(Array.from({ length: 6 }, () => spawnBridge({ home, url: upstream.url })));
  return { upstream, home, bridges };
}

function expectGood(answers: { text: string; isError: boolean }[]) {
  expect(answers.filter(({ isError }) => isError)).toEqual([]);
  expect(answers).toHaveLength(6);
}

describe.each(['lenient', 'strict'] as const)('six bridges at a %s server', (mode) => {
  test('that all need a first sign-in share one tab, one registration and one code exchange', async () => {
    const { upstream, home, bridges } = await sixBridges({ mode });
    expectGood(await Promise.all(bridges.map(search)));
    expect(home.browser.tabs).toHaveLength(1);
    expect(upstream.count({ endpoint: 'register' })).toBe(1);
    expect(upstream.count({ grantType: 'authorization_code' })).toBe(1);
    expect(upstream.count(refresh)).toBe(0);
    expect(await home.record()).toMatchObject({ state: 'connected', generation: 1 });
  });

  test.each([
    { title: 'that a 401 tells', told: false },
    { title: 'that expires_in told before', told: true },
  ])('survive an expiry $title with one refresh and no tab', async ({ told }) => {
    const { upstream, home, bridges } = await sixBridges({ mode });
    await search(bridges[0] as SpawnedBridge);
    expectGood(await Promise.all(bridges.map(search)));
    await (told ? expireTokens(home) : ageTokens(home));
    if (!told) await upstream.expireAccessTokens();

    expectGood(await Promise.all(bridges.map(search)));
    expect(upstream.count(refresh)).toBe(1);
    expect(await home.record()).toMatchObject({ state: 'connected', generation: 2 });
    expect(home.browser.tabs).toHaveLength(1);
  });

  test('whose grant was revoked record one rejection, open one tab and recover in place', async () => {
    const { upstream, home, bridges } = await sixBridges({ mode });
    await search(bridges[0] as SpawnedBridge);
    await ageTokens(home);
    await upstream.revokeGrants();
    home.browser.person = 'ignores';

    // five get the link at once; the one that opened the tab waits for the person
    const fiveAnswered = deferred<void>();
    const answers: { text: string; isError: boolean }[] = [];
    const calls = bridges.map(async (bridge) => {
      const answer = await search(bridge);
      if (answers.push(answer) === 5) fiveAnswered.resolve();
      return answer;
    });
    await fiveAnswered.promise;
    const { url } = await home.browser.tab(2);
    for (const { text, isError } of answers) {
      expect(isError).toBe(true);
      expect(text).toMatch(/^REAUTH_REQUIRED: /);
      expect(text).toContain(url);
    }
    expect(upstream.requests.filter(({ grantType }) => grantType === 'refresh_token')).toMatchObject([{ status: 400 }]);
    expect(await home.record()).toMatchObject({
      state: 'needs_reconnect',
      reason: 'invalid_grant',
      grant: { rejections: [{ oauthError: 'invalid_grant' }] },
    });

    await approve(url);
    await Promise.all(calls);
    expect(answers.at(-1)?.isError, answers.at(-1)?.text).toBe(false);
    expectGood(await Promise.all(bridges.map(search)));
    expect(home.browser.tabs).toHaveLength(2);
    expect(upstream.count({ endpoint: 'register' })).toBe(2);
    expect(upstream.count({ grantType: 'authorization_code' })).toBe(2);
  });
});
