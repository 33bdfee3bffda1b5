import { expect, test } from 'vitest';
import { faultOf, mirroredHeaders } from '../src/mcp/mirrored-headers.ts';
import { modernMeta } from './support/modern-client.ts';

const schema = (properties: object, more: object = {}) => ({ inputSchema: { type: 'object', properties, ...more } });
const region = { type: 'string', 'x-mcp-header': 'Region' };
const headersOf = (method: string, params: object, tool?: object) =>
  mirroredHeaders({ method, params: { ...params, _meta: modernMeta() } }, tool);

test.each([
  ['tools/list', {}, undefined],
  ['tools/call', { name: 'search', uri: 'a:b' }, 'search'],
  ['prompts/get', { name: 'sum up' }, 'sum up'],
  ['resources/read', { uri: 'notion://page/ä' }, '=?base64?bm90aW9uOi8vcGFnZS/DpA==?='],
  ['tasks/get', { taskId: 't1' }, 't1'],
  ['tools/call', { name: 7 }, undefined],
  ['toString', { name: 'x' }, undefined],
])('%s with %j is mirrored', (method, params, name) => {
  const expected = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method };
  expect(headersOf(method, params)).toEqual(name === undefined ? expected : { ...expected, 'mcp-name': name });
});

// The examples of the specification, and the edges around them.
test.each([
  ['us-west1', 'us-west1'],
  ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
  [' padded ', '=?base64?IHBhZGRlZCA=?='],
  ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
  ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
  ['a\tb', 'a\tb'],
  ['', '=?base64??='],
  [42, '42'],
  [-7, '-7'],
  [true, 'true'],
  [false, 'false'],
  [null, undefined],
  [2 ** 53, undefined],
  [{}, undefined],
])('an argument %j is mirrored as %j', (value, mirrored) => {
  const tool = schema({ region, other: { type: 'string' } });
  const headers = headersOf('tools/call', { name: 't', arguments: { region: value, other: 'x' } }, tool);
  expect(headers['mcp-param-Region']).toBe(mirrored);
  expect(Object.keys(headers).filter((name) => name.startsWith('mcp-param-'))).toHaveLength(
    mirrored === undefined ? 0 : 1,
  );
});

test('an argument further down is mirrored, and one that is not there is not', () => {
  const tool = schema({
    at: { type: 'object', properties: { region, default: { ...region, 'x-mcp-header': 'Other' } } },
  });
  expect(headersOf('tools/call', { name: 't', arguments: { at: { region: 'x', default: 'y' } } }, tool)).toMatchObject({
    'mcp-param-Region': 'x',
    'mcp-param-Other': 'y',
  });
  expect(headersOf('tools/call', { name: 't', arguments: { at: 'x' } }, tool)).not.toHaveProperty('mcp-param-Region');
  expect(headersOf('tools/call', { name: 't' }, tool)).not.toHaveProperty('mcp-param-Region');
});

const annotated = (header: unknown, type: unknown = 'string') => schema({ region: { type, 'x-mcp-header': header } });
const deep = () => {
  let node: object = region;
  for (let depth = 0; depth < 5_000; depth += 1) node = { items: node };
  return schema({ node });
};

test.each([
  ['an empty name', annotated('')],
  ['a name with a space', annotated('My Region')],
  ['a name with a line break', annotated('Region\r\nX-Other: 1')],
  ['a name that is no text', annotated(7)],
  ['a number', annotated('Region', 'number')],
  ['an object', annotated('Region', 'object')],
  ['several types', annotated('Region', ['string', 'null'])],
  ['two names that differ in case alone', schema({ a: region, b: { ...region, 'x-mcp-header': 'REGION' } })],
  ['items', schema({ list: { type: 'array', items: region } })],
  ['a choice', schema({}, { oneOf: [{ properties: { region } }] })],
  ['a condition', schema({}, { if: { properties: { region } } })],
  ['a definition', schema({}, { $defs: { region } })],
  ['the root', { inputSchema: region }],
  ['a schema that is too deep', deep()],
])('a tool is not shown for %s', (_what, tool) => {
  expect(faultOf(tool)).toEqual(expect.any(String));
  expect(headersOf('tools/call', { name: 't', arguments: { region: 'x' } }, tool)).not.toHaveProperty(
    'mcp-param-Region',
  );
});

test.each([
  ['no schema', {}],
  ['no annotation', schema({ a: { type: 'array', items: {} } })],
  ['annotations of each kind', schema({ a: region, b: { type: 'integer', 'x-mcp-header': 'B' } })],
  ['a word for it in data', schema({ a: { type: 'string', enum: ['x-mcp-header'], default: { 'x-mcp-header': '' } } })],
])('a tool is shown with %s', (_what, tool) => {
  expect(faultOf(tool)).toBeUndefined();
});
