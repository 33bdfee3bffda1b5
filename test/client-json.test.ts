import fc from 'fast-check';
import { findNodeAtLocation, getNodeValue, type Node, type ParseError, parseTree, visit } from 'jsonc-parser';
import { describe, expect, test } from 'vitest';
import { clients, type JsonClient } from '../src/clients/clients.ts';
import { editEntry } from '../src/clients/entry-edit.ts';
import type { Json } from '../src/clients/json-text.ts';
import type { Server } from '../src/clients/server.ts';
import { entryOf } from '../src/clients/snippet.ts';

// Configurations as people write them, in every shape that a generator thinks of: only our entry changes.

const client = clients.vscode as JsonClient;
const server: Server = {
  name: 'notion',
  command: 'npx',
  args: ['-y', 'notion-mcp-bridge'],
  env: { A: 'b' },
  withheld: [],
};
const entry = entryOf(client, server);

type Members = { [name: string]: Json };

const name = fc.oneof(
  fc.constantFrom('a', '__proto__', 'servers', 'inputs', 'notion', '//', '{', '"', '\\', 'ä'),
  fc.string(),
);
const { value } = fc.letrec<{ value: Json; members: Members }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<Json>(null, true, -1.5e3, '/* no comment */', '', []),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('members'),
  ),
  members: fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }),
}));
const members = fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true });

/** How somebody types: what stands between the tokens, and whether a comma comes after the last member. */
interface Hand {
  lineBreak: string;
  gaps: readonly string[];
  trailingCommas: readonly boolean[];
}

const gap = fc.array(fc.constantFrom('', ' ', '\t', 'BREAK', 'BREAK  ', '/* block */', '// line, "a": {BREAK'), {
  maxLength: 3,
});
const hand: fc.Arbitrary<Hand> = fc.record({
  lineBreak: fc.constantFrom('\n', '\r\n', '\r'),
  gaps: fc.array(
    gap.map((parts) => parts.join('')),
    { minLength: 1, maxLength: 7 },
  ),
  trailingCommas: fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
});
const plainHand: fc.Arbitrary<Hand> = fc.record({
  lineBreak: fc.constantFrom('\n', '\r\n'),
  gaps: fc.array(fc.constantFrom('', ' ', '\t', 'BREAK', 'BREAK    '), { minLength: 1, maxLength: 7 }),
  trailingCommas: fc.constant([false]),
});

function typed(json: Json, { lineBreak, gaps, trailingCommas }: Hand): string {
  let nth = 0;
  const next = <T>(list: readonly T[]) => list[nth++ % list.length] as T;
  const space = () => next(gaps).replaceAll('BREAK', lineBreak);
  const list = (items: string[], open: string, close: string) => {
    const comma = items.length > 0 && next(trailingCommas) ? `,${space()}` : '';
    return `${open}${space()}${items.join(`,${space()}`)}${space()}${comma}${close}`;
  };
  const write = (written: Json): string => {
    if (written === null || typeof written !== 'object') return JSON.stringify(written);
    if (Array.isArray(written)) return list(written.map(write), '[', ']');
    const pairs = Object.entries(written).map(
      ([key, member]) => `${JSON.stringify(key)}${space()}:${space()}${write(member)}${space()}`,
    );
    return list(pairs, '{', '}');
  };
  return `${space()}${write(json)}${space()}`;
}

function edited(text: string) {
  const edit = editEntry(text, client, server);
  if (edit.kind !== 'possible') throw new Error(`${edit.what} at ${edit.offset} of ${JSON.stringify(text)}`);
  return edit;
}

function treeOf(text: string): Node {
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  expect(errors).toEqual([]);
  return tree as Node;
}

function commentsIn(text: string): string[] {
  const found: string[] = [];
  visit(text, { onComment: (offset, length) => void found.push(text.slice(offset, offset + length)) });
  return found;
}

function commonPrefix(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}

/** One text is the other with something put in at one place. */
function isOneInsertion(before: string, after: string): boolean {
  const prefix = commonPrefix(before, after);
  return before.slice(prefix) === after.slice(after.length - before.length + prefix);
}

/** Nothing is gone: there is a member more, and perhaps the comma that it needs. */
function expectOnlyInsertions(before: string, after: string): void {
  const prefix = commonPrefix(before, after);
  const behindComma = after[prefix] === ',' && isOneInsertion(before.slice(prefix), after.slice(prefix + 1));
  expect(behindComma || isOneInsertion(before, after), JSON.stringify({ before, after })).toBe(true);
}

const withoutEntry = fc.record({ root: members, servers: fc.option(members) }).map(({ root, servers }): Members => {
  const { servers: _, ...others } = root;
  const { notion: __, ...rest } = servers ?? {};
  return servers === null ? others : { ...others, servers: rest };
});
const ours = fc.record({
  args: fc.constantFrom<Json>(['notion-mcp-bridge@1'], ['-y', 'notion-mcp-bridge']),
  more: members,
});
const withEntry = fc.record({ root: withoutEntry, ours }).map(({ root, ours: { args, more } }): Members => {
  const { env: _, ...rest } = more;
  const notion = { ...rest, command: 'npx', args, env: { OURS: '', ...(isMembers(more.env) && more.env) } };
  return { ...root, servers: { ...(root.servers as Members), notion, last: {} } };
});

const isMembers = (json: Json | undefined): json is Members =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/** What the file has to mean afterwards. */
function expected(before: Members): Members {
  const servers = (before.servers ?? {}) as Members;
  const present = (servers.notion ?? {}) as Members;
  const env = { ...((present.env ?? {}) as Members), A: 'b' };
  return { ...before, servers: { ...servers, notion: { ...present, ...entry, env } } };
}

describe('whatever the configuration looks like', () => {
  test('a new entry comes in, and no byte goes', () => {
    const property = fc.property(withoutEntry, hand, (before, how) => {
      const text = typed(before, how);
      const { text: after } = edited(text);
      expectOnlyInsertions(text, after);
      expect(getNodeValue(treeOf(after))).toEqual(expected(before));
      expect(commentsIn(after)).toEqual(commentsIn(text));
      expect(edited(after).changes).toEqual([]);
    });
    fc.assert(property, { numRuns: 600 });
  });

  test('plain JSON stays plain JSON, with the line breaks that it has', () => {
    const property = fc.property(withoutEntry, plainHand, (before, how) => {
      const text = typed(before, how);
      const { text: after } = edited(text);
      expectOnlyInsertions(text, after);
      expect(JSON.parse(after)).toEqual(expected(before));
      if (/[\r\n]/.test(text)) expect(after.replaceAll(how.lineBreak, '')).not.toMatch(/[\r\n]/);
    });
    fc.assert(property, { numRuns: 400 });
  });

  test('an entry of ours is brought up to date, and what else it holds stays', () => {
    const property = fc.property(withEntry, hand, (before, how) => {
      const text = typed(before, how);
      const { text: after } = edited(text);
      const { offset, length } = findNodeAtLocation(treeOf(text), ['servers', 'notion']) as Node;
      expect(after.startsWith(text.slice(0, offset)) && after.endsWith(text.slice(offset + length))).toBe(true);
      expect(getNodeValue(treeOf(after))).toEqual(expected(before));
      expect(edited(after).changes).toEqual([]);
    });
    fc.assert(property, { numRuns: 600 });
  });

  test('half of a configuration is refused, not completed', () => {
    const property = fc.property(withoutEntry, hand, fc.nat(), (before, how, cut) => {
      const whole = typed(before, how).trimEnd();
      const text = whole.slice(0, cut % whole.length);
      // what is cut within the comments before it is a file without content
      fc.pre(parseTree(text) !== undefined && whole.endsWith('}'));
      expect(editEntry(text, client, server)).toMatchObject({ kind: 'impossible', remedy: 'correct it there' });
    });
    fc.assert(property, { numRuns: 400 });
  });
});
