import { expect, test } from 'vitest';
import { line } from './support/line.ts';
import { type Answer, answered, onMethod, type Script } from './support/scripted-upstream.ts';

const done = onMethod('tools/call', ({ json: { id } }) => answered(id, { content: [{ type: 'text', text: 'done' }] }));

/** `initialize` fails so often, and then works. */
function startsBadly(times: number, trouble: Answer | 'cut'): Script {
  let left = times;
  return (arrived) => {
    if (arrived.json.method !== 'initialize' || left-- <= 0) return done(arrived);
    if (trouble !== 'cut') return trouble;
    arrived.socket.destroy();
    return 'own';
  };
}

test.each<[string, Answer | 'cut']>([
  ['502', { status: 502, body: 'bad gateway' }],
  ['a cut connection', 'cut'],
  ['no JSON', { body: 'oops', headers: { 'content-type': 'application/json' } }],
])(
  'a change whose session could not be begun (%s) was not sent, so it is sent once that works',
  async (_how, trouble) => {
    const { upstream, client } = await line(startsBadly(2, trouble));
    expect(await client.textOf('change')).toBe('done');
    expect(upstream.arrived.filter(({ json }) => json.method === 'tools/call')).toHaveLength(1);
  },
);
