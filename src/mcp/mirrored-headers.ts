import { revisionOf } from './eras.ts';
import type { Message } from './messages.ts';

/** A tool as it was listed. */
export interface Tool {
  name?: unknown;
  inputSchema?: unknown;
}

/** An argument that the server wants to see in a header, too. */
interface Mirrored {
  header: string;
  path: string[];
}

/** Where the `Mcp-Name` of a method comes from (2026-07-28, Standard Request Headers; SEP-2663 for tasks). */
const nameMembers: Record<string, string> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** The headers that mirror a modern message (2026-07-28, Request Metadata). `tool`: the one that it calls. */
export function mirroredHeaders(message: Message, tool?: Tool): Record<string, string> {
  const { method = '', params = {} } = message;
  const member = Object.hasOwn(nameMembers, method) ? nameMembers[method] : undefined;
  const name = member === undefined ? undefined : params[member];
  const headers: Record<string, string> = {
    'mcp-protocol-version': String(revisionOf(message)),
    'mcp-method': encoded(method),
    ...(typeof name === 'string' ? { 'mcp-name': encoded(name) } : {}),
  };
  const scan = tool && scanAnnotations(tool.inputSchema);
  for (const { header, path } of scan?.mirrored ?? []) {
    const value = valueAt(params.arguments, path);
    const text = textOf(value);
    if (text !== undefined) headers[`mcp-param-${header}`] = encoded(text);
  }
  return headers;
}

/** Why a client must not show this tool (2026-07-28, Schema Extension); undefined when it may. */
export function faultOf(tool: Tool): string | undefined {
  return scanAnnotations(tool.inputSchema).fault;
}

const annotation = 'x-mcp-header';
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const primitives = new Set<unknown>(['string', 'integer', 'boolean']);
/** Members of a schema that hold no schemas of the instance, whatever they look like. */
const plain = new Set(['default', 'const', 'enum', 'examples', 'required', 'type', annotation]);

/** Members that hold schemas by a name of their own. */
const maps = new Set(['patternProperties', 'dependentSchemas', '$defs', 'definitions']);
const deepest = 200;

/** Annotations count where a chain of `properties` alone leads to them; anywhere else they make the tool invalid. */
function scanAnnotations(inputSchema: unknown): { mirrored: Mirrored[]; fault?: string } {
  const mirrored: Mirrored[] = [];
  const taken = new Set<string>();
  const visit = (schema: unknown, path: string[] | undefined, depth: number): string | undefined => {
    if (typeof schema !== 'object' || schema === null) return undefined;
    if (depth > deepest) return 'a schema that is too deep to be looked through';
    const below = (child: unknown) => visit(child, undefined, depth + 1);
    if (Array.isArray(schema)) return firstFault(schema, below);
    const node = schema as Record<string, unknown>;
    if (annotation in node) {
      const fault = faultOfAnnotation(node, path, taken);
      if (fault !== undefined) return fault;
      mirrored.push({ header: node[annotation] as string, path: path as string[] });
    }
    return firstFault(Object.entries(node), ([keyword, value]) => {
      if (plain.has(keyword)) return undefined;
      if (maps.has(keyword)) return firstFault(Object.values(value ?? {}), below);
      if (keyword !== 'properties') return below(value);
      const ahead = (name: string) => path && [...path, name];
      return firstFault(Object.entries(value ?? {}), ([name, child]) => visit(child, ahead(name), depth + 1));
    });
  };
  const fault = visit(inputSchema, [], 0);
  return fault === undefined ? { mirrored } : { mirrored: [], fault };
}

function faultOfAnnotation(
  node: Record<string, unknown>,
  path: string[] | undefined,
  taken: Set<string>,
): string | undefined {
  const header = node[annotation];
  if (!path || path.length === 0) return `${annotation} where no chain of properties leads`;
  if (typeof header !== 'string' || !token.test(header)) return `${annotation} is no header name`;
  if (!primitives.has(node.type)) return `${annotation} on a parameter that is no string, integer or boolean`;
  if (taken.has(header.toLowerCase())) return `${annotation} '${header}' is there twice`;
  taken.add(header.toLowerCase());
  return undefined;
}

function firstFault<T>(items: T[], look: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const fault = look(item);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function valueAt(root: unknown, path: string[]): unknown {
  return path.reduce<unknown>(
    (node, name) =>
      typeof node === 'object' && node !== null && Object.hasOwn(node, name)
        ? (node as Record<string, unknown>)[name]
        : undefined,
    root,
  );
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'number' || (Number.isInteger(value) && !Number.isSafeInteger(value))) return undefined;
  return String(value);
}

/** What is no plain header value, or looks encoded, goes as Base64 (2026-07-28, Value Encoding). */
function encoded(text: string): string {
  const isPlain = /^[\t\x20-\x7e]+$/.test(text) && text === text.trim() && !/^=\?base64\?.*\?=$/.test(text);
  return isPlain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}
