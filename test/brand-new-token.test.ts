import { expect, test } from 'vitest';
import { refresh } from './support/opened-tab.ts';
import { spawnRaw } from './support/raw-client.ts';
import { runCommand } from './support/run-command.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

const searches = { endpoint: 'mcp', tool: 'notion-search' } as const;

async function justSignedIn() {
  const upstream = await upstreamInTest();
  const home = await homeInTest();
  expect(await runCommand(home, ['login', '--url', upstream.url]).ended).toMatchObject({ code: 0 });
  const bridge = spawnRaw({ home, url: upstream.url });
  await bridge.hello();
  await bridge.request('tools/list');
  return { upstream, bridge, search: () => bridge.textOf('notion-search', { query: 'x' }) };
}

// An edge may not know a token that was issued a moment ago (product.md 6.4).

test('calls refused with a brand-new token wait once, together, and are sent once more; nothing is refreshed', async () => {
  const { upstream, search } = await justSignedIn();
  upstream.faults.next('mcp', { kind: 'unauthorized' }, { times: 5, when: searches });
  const answers = await Promise.all(Array.from({ length: 5 }, search));
  expect(answers).toEqual(Array(5).fill(expect.stringContaining('workspace_search')));
  const sent = upstream.requests.filter(({ tool }) => tool === 'notion-search');
  expect(sent.map(({ status }) => status)).toEqual([...Array(5).fill(401), ...Array(5).fill(200)]);
  const refused = Math.min(...sent.slice(0, 5).map(({ at }) => at));
  expect(Math.min(...sent.slice(5).map(({ at }) => at)) - refused).toBeGreaterThan(900);
  expect(upstream.count(refresh)).toBe(0);
});

test('one that is refused after the wait of the others costs a refresh, and is sent to nobody again', async () => {
  const { upstream, search } = await justSignedIn();
  upstream.faults.next('mcp', { kind: 'unauthorized' }, { times: 6, when: searches });
  const answers = await Promise.all([search(), search(), search()]);
  expect(answers).toEqual(Array(3).fill(expect.stringContaining('workspace_search')));
  expect(upstream.count(refresh)).toBe(1);
  const tokens = upstream.requests.filter(({ tool }) => tool === 'notion-search').map(({ accessToken }) => accessToken);
  expect(new Set(tokens.slice(0, 6)).size).toBe(1);
  expect(new Set(tokens.slice(6)).size).toBe(1);
  expect(tokens[6]).not.toBe(tokens[0]);
});
