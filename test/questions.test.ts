import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { spawnRaw } from './support/raw-client.ts';
import { type Arrived, answered, openStream, sessions } from './support/scripted-upstream.ts';
import { homeInTest } from './support/spawn-bridge.ts';
import { upstreamInTest } from './support/upstream/in-test.ts';

// What the server asks of the client: sampling, elicitation, roots (product.md 8).

const sampled = (text: string) => ({ role: 'assistant', model: 'm', content: { type: 'text', text } });

const kinds: [string, string, string, (text: string) => object][] = [
  ['elicitation', 'ask', 'elicitation/create', (text) => ({ action: 'accept', content: { answer: text } })],
  ['sampling', 'sample', 'sampling/createMessage', sampled],
  ['roots', 'roots', 'roots/list', (text) => ({ roots: [{ uri: `file:///${text}`, name: text }] })],
];

test.each(kinds)(
  '%s: a question of a lost session is cancelled at the client, its late answer reaches nobody, and new ones work',
  async (_kind, tool, method, answer) => {
    const upstream = await upstreamInTest({ auth: false, testTools: true });
    const client = spawnRaw({ home: await homeInTest(), url: upstream.url });
    await client.hello({ capabilities: { elicitation: {}, sampling: {}, roots: {} } });
    const isQuestion = (json: { method?: string }) => json.method === method;
    const first = client.call(tool);
    const question = (await client.receive(isQuestion)).json;
    await upstream.dropSessions();
    const cancelled = await client.receive((json) => json.method === 'notifications/cancelled');
    expect(cancelled.json.params.requestId).toBe(question.id);
    expect((await first).result.content[0].text).toMatch(/^OUTCOME_UNKNOWN/);

    // The new session counts from the same number, and the answer to the old question comes while the new one waits.
    const second = client.call(tool);
    const again = (await client.receive(isQuestion, 2)).json;
    client.send({ id: question.id, result: answer('belated') });
    client.send({ id: again.id, result: answer('timely') });
    expect(JSON.parse((await second).result.content[0].text)).toEqual(answer('timely'));
    expect(JSON.stringify(upstream.requests)).not.toContain('belated');

    const third = client.call(tool);
    const last = (await client.receive(isQuestion, 3)).json;
    client.send({ id: last.id, error: { code: -1, message: 'User rejected it' } });
    expect((await third).error?.message ?? (await third).result.content[0].text).toContain('User rejected it');
  },
);

const odd = '"x":[1.0,12345678901234567890,"\\u00e9"]';
const isQuestion = (json: { id?: unknown; method?: string }) => json.id !== undefined && json.method === 'x/question';
const isCancelled = (json: { method?: string }) => json.method === 'notifications/cancelled';
const questionLine = (id: string) => `{"jsonrpc":"2.0","id":${id},"method":"x/question","params":{${odd}},${odd}}`;
const replyLine = (id: string) => `{"result":{${odd}},"id":${id},${odd},"jsonrpc":"2.0"}`;
const withdrawal = (id: string) =>
  `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{${odd},"requestId":${id}}}`;

/** A server that asks the same in each session, on the stream of a call that it never answers. */
async function asking(id: string) {
  const { keep, end } = sessions();
  const replies: string[] = [];
  const streams: Arrived[] = [];
  const asked = await line(
    keep((arrived) => {
      const { method } = arrived.json;
      if (method === 'x/begin') return answered(arrived.json.id, {});
      if (method === undefined) replies.push(arrived.raw);
      if (method !== 'tools/call') return undefined;
      streams.push(arrived);
      openStream(arrived);
      arrived.response.write(`data: ${questionLine(id)}\n\n`);
      return 'own';
    }),
  );
  const say = (raw: string) => void streams.at(-1)?.response.write(`data: ${raw}\n\n`);
  /** The session ends, and another request finds out. */
  const loseSession = async () => {
    end();
    streams.at(-1)?.response.destroy();
    await asked.client.request('x/begin');
  };
  return { ...asked, replies, say, loseSession };
}

test.each(['"s"', '0', '""', '-1.5', '90071992547409931'])(
  'a question whose id (%s) comes again in the next session gets another one, and keeps its other bytes',
  async (id) => {
    const { client, upstream, replies, say, loseSession } = await asking(id);
    client.send({ id: 'first', method: 'tools/call', params: { name: 't' } });
    expect((await client.receive(isQuestion)).raw).toBe(questionLine(id));
    await loseSession();
    expect((await client.receive(isCancelled)).raw).toContain(`"requestId":${id},`);

    client.send({ id: 'second', method: 'tools/call', params: { name: 't' } });
    const alias = JSON.stringify((await client.receive(isQuestion, 2)).json.id);
    expect(client.lines.at(-1)?.raw).toBe(questionLine(alias));
    expect(alias).not.toBe(id);
    client.write(`${replyLine(id)}\n${replyLine(alias)}\n`);
    await upstream.waitFor(({ json }) => json.method === undefined);
    expect(replies).toEqual([replyLine(id)]);

    say(questionLine(id).replace('question', 'other'));
    await client.receive(({ method }) => method === 'x/other');
    say(withdrawal(id));
    expect((await client.receive(isCancelled, 2)).raw).toBe(withdrawal(id));
  },
);

test('a question that was withdrawn is not answered by its late answer in the next session', async () => {
  const { client, upstream, replies, say, loseSession } = await asking('0');
  client.send({ id: 'first', method: 'tools/call', params: { name: 't' } });
  await client.receive(isQuestion);
  say(withdrawal('0'));
  expect((await client.receive(isCancelled)).raw).toBe(withdrawal('0'));
  await loseSession();
  client.send({ id: 'second', method: 'tools/call', params: { name: 't' } });
  const { id } = (await client.receive(isQuestion, 2)).json;
  client.send({ id: 0, result: 'belated' });
  client.send({ id, result: 'timely' });
  await upstream.waitFor(({ json }) => json.method === undefined);
  expect(replies.map((raw) => JSON.parse(raw))).toEqual([{ jsonrpc: '2.0', id: 0, result: 'timely' }]);
});

test('the server withdraws a question that has another id at the client', async () => {
  const { client, say, loseSession } = await asking('7');
  client.send({ id: 'first', method: 'tools/call', params: { name: 't' } });
  await client.receive(isQuestion);
  await loseSession();
  client.send({ id: 'second', method: 'tools/call', params: { name: 't' } });
  const alias = JSON.stringify((await client.receive(isQuestion, 2)).json.id);
  expect(alias).not.toBe('7');
  say(withdrawal('7'));
  expect((await client.receive(isCancelled, 2)).raw).toBe(withdrawal(alias));
});
