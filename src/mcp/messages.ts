import { itemsOf, replaced, spanOf, textAt } from './json-text.ts';

/** JSON-RPC ids as they come: unusual ones, too (P9). A bigint is an integer that a double does not hold. */
export type MessageId = string | number | bigint | null;

/** From this many bytes on it pays to leave a message as bytes. */
export const large = 16 * 1024;

/** A JSON-RPC message as far as the bridge looks into it. */
export interface Message {
  jsonrpc?: string;
  id?: MessageId;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: unknown;
}

/** A message together with its own bytes: those are what is passed on (P9). */
export interface RawMessage {
  raw: string;
  /** The same as it came, where it is large: who only passes it on needs no text. */
  bytes?: Buffer;
  message: Message;
}

/** What goes to the client: without making a text of bytes. */
export function lineOf(incoming: RawMessage): string | Buffer {
  return incoming.bytes ?? incoming.raw;
}

export type Request = Message & { id: MessageId; method: string };

export function isRequest(message: Message): message is Request {
  return typeof message.method === 'string' && message.id !== undefined;
}

export function isNotification(message: Message): message is Message & { method: string } {
  return typeof message.method === 'string' && message.id === undefined;
}

export function isResponse(message: Message): message is Message & { id: MessageId } {
  return message.method === undefined && message.id !== undefined;
}

/**
 * The messages in a piece of JSON text: one, or several of a batch (2025-03-26). Throws SyntaxError.
 * Each keeps its own bytes; only line breaks, which JSON allows between tokens alone, become spaces.
 */
export function parseMessages(text: string): RawMessage[] {
  const json: unknown = JSON.parse(text);
  const raw = /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text;
  if (isObject(json)) return [{ raw, message: withExactIds(raw, json) }];
  if (!Array.isArray(json)) throw new SyntaxError('not a JSON-RPC message');
  const elements = itemsOf(raw, raw.indexOf('[')).map((span) => textAt(raw, span));
  return elements.flatMap((element, nth) => {
    const message: unknown = json[nth];
    return isObject(message) ? [{ raw: element, message: withExactIds(element, message) }] : [];
  });
}

/** The same for the bytes of a server: what is no JSON-RPC message holds none. */
export function parseOrNothing(text: string): RawMessage[] {
  try {
    return parseMessages(text);
  } catch {
    return [];
  }
}

/** Two ids that a double cannot tell apart are two ids, and an answer of ours carries the id that was asked with. */
function withExactIds(raw: string, message: Message): Message {
  const exact = (value: unknown, ...path: string[]) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return undefined;
    const digits = textAt(raw, spanOf(raw, ...path) ?? { start: 0, end: 0 });
    return /^-?\d+$/.test(digits) ? BigInt(digits) : undefined;
  };
  const id = exact(message.id, 'id');
  const requestId = exact(message.params?.requestId, 'params', 'requestId');
  return {
    ...message,
    ...(id === undefined ? {} : { id }),
    ...(requestId === undefined ? {} : { params: { ...message.params, requestId } }),
  };
}

/** The same message with another id; nothing else of it changes. */
export function withId(raw: string, id: MessageId): string {
  const span = spanOf(raw, 'id');
  if (span) return replaced(raw, span, jsonOf(id));
  const start = raw.indexOf('{') + 1;
  return replaced(raw, { start, end: start }, `"id":${jsonOf(id)},`);
}

/** The same cancellation, of another request. */
export function withRequestId(raw: string, id: MessageId): string {
  const span = spanOf(raw, 'params', 'requestId');
  return span ? replaced(raw, span, jsonOf(id)) : raw;
}

/** JSON text of a value that may hold bigints. They pass through strings. */
export function jsonOf(value: unknown): string {
  let tagged = false;
  const text = JSON.stringify(value, (_name, member: unknown) => {
    if (typeof member !== 'bigint') return member;
    tagged = true;
    return `\0integer:${member}`;
  });
  return tagged ? text.replace(/"\\u0000integer:(-?\d+)"/g, '$1') : text;
}

export function resultLine(id: MessageId, result: unknown): string {
  return jsonOf({ jsonrpc: '2.0', id, result });
}

export function errorLine(id: MessageId, error: unknown): string {
  return jsonOf({ jsonrpc: '2.0', id, error });
}

export function notificationLine(method: string, params?: Record<string, unknown>): string {
  return jsonOf({ jsonrpc: '2.0', method, ...(params ? { params } : {}) });
}

function isObject(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
