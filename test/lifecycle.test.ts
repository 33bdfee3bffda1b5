import { describe, expect, test } from 'vitest';
import { homeInTest, spawnBridge } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const hour = 3_600_000;

describe.each(['lenient', 'strict'] as const)('the life of a connection at a %s server', (mode) => {
  test('one sign-in serves through refreshes and restarts, and a revoked grant is reconnected in place', async () => {
    const upstream = await upstreamInTest({ mode });
    const home = await homeInTest();
    const refreshes = () => upstream.count({ grantType: 'refresh_token' });

    // first sign-in: the first tool call opens the one tab
    const bridge = await spawnBridge({ home, url: upstream.url });
    expect(upstream.requests).toEqual([]);
    const first = await bridge.call('notion-search', { query: 'roadmap' });
    expect(first.isError, first.text).toBe(false);
    expect(home.browser.tabs).toHaveLength(1);
    expect(home.browser.tabs[0]?.page?.body).toContain('Connected');
    const signedIn = await home.record();
    expect(signedIn).toMatchObject({ state: 'connected', generation: 1 });

    // valid: nothing but the call
    await bridge.call('notion-search', { query: 'roadmap' });
    expect(refreshes()).toBe(0);

    // refresh 1 to 2, and 2 to 3, each by the client that the grant was issued to (P2)
    for (const generation of [2, 3]) {
      upstream.clock.advance(hour);
      const call = await bridge.call('notion-search', { query: 'roadmap' });
      expect(call.isError, call.text).toBe(false);
      expect(refreshes()).toBe(generation - 1);
      expect(await home.record()).toMatchObject({ state: 'connected', generation });
    }
    const clientIds = new Set(
      upstream.requests.filter(({ endpoint }) => endpoint === 'token').map(({ clientId }) => clientId),
    );
    expect([...clientIds]).toEqual([signedIn?.grant?.registration.client_id]);

    // a restart signs in to nothing
    await bridge.close();
    const restarted = await spawnBridge({ home, url: upstream.url });
    expect((await restarted.call('notion-search', { query: 'roadmap' })).isError).toBe(false);
    expect(home.browser.tabs).toHaveLength(1);

    // revoked: one rejected refresh, one tab for the new need, and the very same process goes on
    await upstream.revokeGrants();
    const reconnected = await restarted.call('notion-search', { query: 'roadmap' });
    expect(reconnected.isError, reconnected.text).toBe(false);
    expect(home.browser.tabs).toHaveLength(2);
    expect(upstream.count({ endpoint: 'register' })).toBe(2);
    const record = await home.record();
    expect(record?.history).toMatchObject([{ client_id: [...clientIds][0], why: 'invalid_grant' }]);
    expect(record?.grant?.registration.client_id).not.toBe([...clientIds][0]);
  });
});
