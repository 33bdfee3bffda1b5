import { expect, test } from 'vitest';
import { itemsOf, replaced, spanOf, textAt } from '../src/mcp/json-text.ts';
import { parseMessages, withId } from '../src/mcp/messages.ts';
import { createChance } from './simulation/chance.ts';

const bigId = '90071992547409931';

/** JSON text as nobody would write it. */
function createWriter(seed: number) {
  const { pick, between } = createChance(seed);
  const several = (write: () => string) => Array.from({ length: between(0, 4) }, write);
  const space = () => pick(['', ' ', '\t', '  ']);
  const text = () => JSON.stringify(several(() => pick([...'ab"\\\n{}[]:,', 'é', '🙂', '\u2028'])).join(''));
  const value = (depth: number): string => {
    const plain = [text(), '1.0e3', 'null', '-12345678901234567890', 'false'];
    const written = depth > 3 ? pick(plain) : pick([...plain, array(depth), object(depth, [])]);
    return space() + written + space();
  };
  const array = (depth: number) => `[${several(() => value(depth + 1)).join(',')}${space()}]`;
  const object = (depth: number, members: string[]): string => {
    const all = [...several(() => `${space()}${text()}${space()}:${value(depth + 1)}`), ...members];
    return `{${all.sort(() => pick([-1, 1])).join(',')}${space()}}`;
  };
  return { value, message: () => object(0, [`${space()}"id"${space()}:${space()}${bigId}${space()}`]) };
}

test('the messages of 500 batches are found, and given another id, in their own bytes', () => {
  const { value, message } = createWriter(1);
  for (let round = 0; round < 500; round += 1) {
    const raw = message();
    const batch = ` [ ${raw},${value(0)} ,${raw}]`;
    const found = parseMessages(batch);
    expect([found[0]?.raw, found.at(-1)?.raw]).toEqual([raw, raw]);
    expect(found[0]?.message.id).toBe(BigInt(bigId));
    const renamed = withId(raw, 'new');
    expect(renamed.replace('"new"', bigId)).toBe(raw);
    expect(JSON.parse(renamed)).toEqual({ ...JSON.parse(raw), id: 'new' });
  }
});

test('of two members with one name the last one counts, whatever their escapes', () => {
  const text = '{"a":{"b":1},"\\u0061" : {"b":[2],"b" :"\\"}"}}';
  expect(textAt(text, spanOf(text, 'a', 'b') as { start: number; end: number })).toBe('"\\"}"');
  expect(spanOf(text, 'a', 'b', 'c')).toBeUndefined();
  expect(spanOf(text, 'c')).toBeUndefined();
  expect(spanOf('[1]', '0')).toBeUndefined();
});

test('items of empty and of nested arrays', () => {
  const texts = (text: string) => itemsOf(text, 0).map((span) => textAt(text, span));
  expect(texts('[ ]')).toEqual([]);
  expect(texts('[[], {} ,[[]] ]')).toEqual(['[]', '{}', '[[]]']);
  expect(replaced('[1,2]', { start: 1, end: 2 }, '')).toBe('[,2]');
});
