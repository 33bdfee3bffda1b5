import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { modernMeta, rawModernClient } from './support/modern-client.ts';
import { type Arrived, openStream, type Script, scriptedModern } from './support/scripted-upstream.ts';

// P9: what JSON can say in more than one way, or says to nobody we know, passes in the bytes that it came in.

const odd: [string, string][] = [
  ['numbers in forms of their own', '[1.0,1e3,1E+2,-0,0.10,12345678901234567890,0.12345678901234567890,1e400]'],
  ['escapes, needed or not', '"\\u00e9\\/\\b\\ud83d\\ude00 \\u0000\\ud800"'],
  ['characters that some take for the end of a line', '"\u2028\u2029\u0085\u007f\ufeffé✳🙂"'],
  ['members that stand there twice', '{"a":1,"a":2,"id":7,"id":8,"":0,"__proto__":{"method":"x"},"constructor":null}'],
  ['white space', '{ "a" :\t[ 1 ,2 ] , "b":{ } }'],
  ['a text that looks like the end of a message', '"}]}\\",\\\\"'],
  ['nests 20,000 deep', `${'['.repeat(20_000)}${']'.repeat(20_000)}`],
];

/** Every place of a conversation that holds what nobody knows, `odd` in each. */
function everywhere(odd: string) {
  const unknown = `"x":${odd},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t","x":${odd}},"y":${odd}}`;
  const error = `"error":{"code":-32000,"message":"m","data":${odd},"x":${odd}},"z":${odd}`;
  return {
    request: `{"z":${odd},"params":{"name":"t",${unknown}},"method":"tools/call","id":"c","jsonrpc":"2.0"}`,
    note: `{"jsonrpc":"2.0","method":"notifications/x","params":{${unknown}},"z":${odd}}`,
    question: `{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{${unknown}},"z":${odd}}`,
    reply: `{"jsonrpc":"2.0","id":"s","result":{${unknown}},"z":${odd}}`,
    refusal: `{"jsonrpc":"2.0","id":"s",${error}}`,
    answer: `{"result":{"content":[{"type":"text","text":"",${unknown}}],${unknown}},"z":${odd},"id":"c","jsonrpc":"2.0"}`,
    error: `{"jsonrpc":"2.0","id":"c",${error}}`,
  };
}

const isResponse = ({ json }: Arrived) => json.id === 's' && json.method === undefined;
const isNote = ({ json }: Arrived) => json.method === 'notifications/x';

test.each(odd)('%s: in both directions, wherever it stands', async (_what, value) => {
  const said = everywhere(value);
  let stream: Arrived | undefined;
  let last = said.answer;
  const { upstream, client } = await line((arrived) => {
    if (arrived.json.method === 'tools/call') {
      stream = arrived;
      openStream(arrived);
      arrived.response.write(`data: ${said.note}\n\ndata: ${said.question}\n\n`);
      return 'own';
    }
    if (isResponse(arrived)) stream?.response.end(`data: ${last}\n\n`);
    return undefined;
  });
  // Before there is a session, a notification is about nothing.
  await client.request('x/begin');
  for (const [round, [reply, ending]] of [
    [said.reply, said.answer],
    [said.refusal, said.error],
  ].entries()) {
    last = ending as string;
    client.write(`${said.note}\n${said.request}\n`);
    expect((await client.receive(({ method }) => method === 'notifications/x', round + 1)).raw).toBe(said.note);
    expect((await client.receive(({ id, method }) => id === 's' && method, round + 1)).raw).toBe(said.question);
    client.write(`${reply}\n`);
    expect((await client.receive(({ id, method }) => id === 'c' && !method, round + 1)).raw).toBe(last);
    expect((await upstream.waitFor(isResponse, round + 1)).raw).toBe(reply);
    expect((await upstream.waitFor(isNote, round + 1)).raw).toBe(said.note);
    expect((await upstream.waitFor(({ json }) => json.id === 'c', round + 1)).raw).toBe(said.request);
  }
});

test.each(odd)('%s: in the era without sessions, too', async (_what, value) => {
  const meta = JSON.stringify(modernMeta()).slice(1, -1);
  const request = `{"z":${value},"params":{"name":"t","_meta":{${meta},"y":${value}},"x":${value}},"method":"tools/call","id":"c","jsonrpc":"2.0"}`;
  const { note, answer } = everywhere(value);
  const upstream = await scriptedModern((arrived) => {
    if (arrived.json.method !== 'tools/call') return undefined;
    openStream(arrived);
    arrived.response.end(`data: ${note}\n\ndata: ${answer}\n\n`);
    return 'own';
  });
  const client = await rawModernClient(upstream.url);
  client.write(`${request}\n`);
  expect((await client.receive(({ id }) => id === 'c')).raw).toBe(answer);
  expect(client.lines.map(({ raw }) => raw)).toContain(note);
  expect((await upstream.waitFor(({ json }) => json.id === 'c')).raw).toBe(request);
});

const strange = '[1.0,12345678901234567890,"\\u00e9"]';

test('a message of a batch keeps its bytes', async () => {
  const call = `{"params":{"name":"t","x":${strange}},"method":"tools/call","id":"c","jsonrpc":"2.0"}`;
  const note = `{"jsonrpc":"2.0", "method":"notifications/x","params":${strange}}`;
  const answer = `{"jsonrpc":"2.0", "id":"c","result":{"content":[],"x":${strange}}}`;
  const { upstream, client } = await line(({ json }) =>
    json.id === 'c' ? { body: `[ ${note} ,\r\n\t${answer}\n]` } : undefined,
  );
  await client.request('x/begin');
  client.write(`[ ${note},\t${call} ]\n`);
  expect((await client.receive(({ id }) => id === 'c')).raw).toBe(answer);
  expect((await client.receive(({ method }) => method === 'notifications/x')).raw).toBe(note);
  expect((await upstream.waitFor(({ json }) => json.id === 'c')).raw).toBe(call);
  expect((await upstream.waitFor(isNote)).raw).toBe(note);
});

// regression: such an id was read by a function that called itself at each level, and its request got no answer
test('an id that a double does not hold, of a request that nests deep', async () => {
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  const answer = `{"jsonrpc":"2.0","id":90071992547409931,"result":{"content":[],"x":${deep}}}`;
  const { client } = await line(({ json }) => (json.method === 'tools/call' ? { body: answer } : undefined));
  client.write(`{"id":90071992547409931,"method":"tools/call","params":{"name":"t","x":${deep}},"jsonrpc":"2.0"}\n`);
  expect((await client.receive(({ result }) => result?.content)).raw).toBe(answer);
});

/** Answers the one call that is made with an error whose HTTP status says so, too. */
function refusing(status: number, body: string): Script {
  return ({ json }) => (json.method === 'tools/call' ? { status, body } : undefined);
}

test.each([400, 404, 422, 500, 503])(
  'an error that names the request is its answer, with status %d',
  async (status) => {
    const error = `{"jsonrpc":"2.0","id":"c","error":{"code":-32603,"message":"m","data":${strange},"x":${strange}}}`;
    const { upstream, client } = await line(refusing(status, error));
    client.send({ id: 'c', method: 'tools/call', params: { name: 't' } });
    expect((await client.receive(({ id }) => id === 'c')).raw).toBe(error);
    expect(upstream.arrived.filter(({ json }) => json.id === 'c')).toHaveLength(1);
  },
);

test.each([
  ['with the id null', '"id":null,'],
  ['without an id', ''],
])('an error %s gets that of the request which it refuses, and is otherwise as it was', async (_how, id) => {
  const error = (id: string) => `{${id}"error":{"code":-32600,"message":"m","data":${strange}},"z":${strange}}`;
  const { client } = await line(refusing(400, error(id)));
  client.write('{"id":90071992547409931,"method":"tools/call","params":{"name":"t"},"jsonrpc":"2.0"}\n');
  expect((await client.receive(({ error }) => error)).raw).toBe(error('"id":90071992547409931,'));
});

test('an error that refuses the session is the answer to the request that wanted one', async () => {
  const error = (id: string) => `{"jsonrpc":"2.0","id":${id},"error":{"code":-32600,"message":"m","data":${strange}}}`;
  const { client } = await line(({ json }) =>
    json.method === 'initialize' ? { status: 400, body: error('null') } : undefined,
  );
  client.send({ id: 'c', method: 'tools/call', params: { name: 't' } });
  expect((await client.receive(({ id }) => id === 'c')).raw).toBe(error('"c"'));
});

test('an error that fills a megabyte passes, also with the status of one', async () => {
  const error = JSON.stringify({
    jsonrpc: '2.0',
    id: 'c',
    error: { code: -32602, message: 'm', data: 'ü'.repeat(500_000) },
  });
  const { client } = await line(refusing(400, error));
  client.send({ id: 'c', method: 'tools/call', params: { name: 't' } });
  expect((await client.receive(({ id }) => id === 'c')).raw).toBe(error);
});
