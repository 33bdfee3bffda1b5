import { describe, expect, test } from 'vitest';
import { type Person, type SdkClient, sdkClients } from './support/sdk-clients.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { deferred } from './support/upstream/deferred.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';
import type { Upstream } from './support/upstream/upstream.ts';

const recentPages = 'notion://workspace/recent-pages';
const eventStream = { endpoint: 'mcp', method: 'GET', status: 200 } as const;

const person: Person = {
  elicitation: { action: 'accept', content: { answer: '42' } },
  sampling: { model: 'none', role: 'assistant', content: { type: 'text', text: 'hello' } },
  roots: { roots: [{ uri: 'file:///work', name: 'work' }] },
  onToolListChanged: () => undefined,
  onResourceUpdated: () => undefined,
  onLogged: () => undefined,
};

describe.each(sdkClients)('%s', (_name, spawn) => {
  interface Connected {
    upstream: Upstream;
    client: SdkClient;
    textOf(name: string, args?: object): Promise<string | undefined>;
  }

  async function connected(listening: Partial<Person> = {}): Promise<Connected> {
    const upstream = await upstreamInTest({ auth: false, testTools: true });
    const client = await spawn(await homeInTest(), upstream.url, { ...person, ...listening });
    const textOf = async (name: string, args?: object) => (await client.call(name, args)).content[0]?.text;
    return { upstream, client, textOf };
  }

  test('lists, reads, completes and calls', async () => {
    const { upstream, client, textOf } = await connected();
    expect(client.getServerVersion()).toMatchObject({ name: 'notion-mcp-bridge', title: 'Notion' });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['notion-search', 'echo-raw']));
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toContain(recentPages);
    expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(1);
    expect((await client.listPrompts()).prompts.map(({ name }) => name)).toEqual(['summarize-page']);
    expect(JSON.stringify(await client.readResource({ uri: recentPages }))).toContain('Engineering wiki');
    const { messages } = await client.getPrompt({ name: 'summarize-page', arguments: { page: 'Minutes' } });
    expect(JSON.stringify(messages)).toContain('Minutes');
    const ref = { type: 'ref/prompt', name: 'summarize-page' } as const;
    const { completion } = await client.complete({ ref, argument: { name: 'page', value: 're' } });
    expect(completion.values).toEqual(['Release checklist', 'Reading list']);
    expect(await textOf('notion-search', { query: 'wiki' })).toContain('Engineering wiki');
    await expect(client.readResource({ uri: 'notion://page/none' })).rejects.toThrow('Resource not found');
    expect(upstream.sessions).toHaveLength(1);
  });

  test('sees progress in order, and stops what it cancels', async () => {
    const { upstream, client } = await connected();
    const steps: number[] = [];
    const twenty = deferred<void>();
    const onprogress = ({ progress }: { progress: number }) => {
      if (steps.push(progress) === 20) twenty.resolve();
    };
    const cancelling = new AbortController();
    const { signal } = cancelling;
    const call = client.call('slow', { ms: 600_000, steps: 60_000 }, { onprogress, signal });
    await twenty.promise;
    expect(steps.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, step) => step + 1));
    cancelling.abort('enough');
    await expect(call).rejects.toThrow('enough');
    await upstream.waitFor({ rpc: 'notifications/cancelled', status: 202 });
    await expect.poll(() => upstream.cancellations).toBe(1);
  });

  test('is asked for an answer, a message and its roots in the middle of calls', async () => {
    const { textOf } = await connected();
    const [asked, sampled, roots] = await Promise.all([textOf('ask'), textOf('sample'), textOf('roots')]);
    expect(JSON.parse(asked ?? '')).toEqual(person.elicitation);
    expect(JSON.parse(sampled ?? '')).toEqual(person.sampling);
    expect(JSON.parse(roots ?? '')).toEqual(person.roots);
  });

  test('hears of changed lists, of updated resources, and what is logged at its level', async () => {
    const changed = deferred<void>();
    const updated = deferred<string>();
    const logged: unknown[] = [];
    const { upstream, client, textOf } = await connected({
      onToolListChanged: () => changed.resolve(),
      onResourceUpdated: (uri) => updated.resolve(uri),
      onLogged: (data) => void logged.push(data),
    });
    await client.setLoggingLevel('error');
    await upstream.waitFor(eventStream);
    await textOf('notion-create-pages', { pages: [] });
    await client.setLoggingLevel('info');
    await client.subscribeResource({ uri: recentPages });
    await textOf('notion-create-pages', { pages: [{ properties: { title: 'Minutes' } }] });
    expect(await updated.promise).toBe(recentPages);
    await expect.poll(() => logged).toEqual([{ created: 1 }]);
    await textOf('notify-list-changed');
    await changed.promise;
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('notion-announced');
  });

  test('takes 2 MB, and has fifty calls under way at once', async () => {
    const { upstream, textOf } = await connected();
    expect(await textOf('big', { bytes: 2_000_000 })).toHaveLength(2_000_000);
    const calls = Array.from({ length: 50 }, () => textOf('count'));
    const counted = (await Promise.all(calls)).map(Number).sort((a, b) => a - b);
    expect(counted).toEqual(Array.from({ length: 50 }, (_, nth) => nth + 1));
    expect(upstream.sessions).toHaveLength(1);
  });
});
