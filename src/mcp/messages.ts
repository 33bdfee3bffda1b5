/** JSON-RPC ids as they come: unusual ones, too (P9). A bigint is an integer that a double does not hold. */
export type MessageId = string | number | bigint | null;

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
  message: Message;
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
 * A single message keeps its own bytes; only line breaks, which JSON allows between tokens alone, become spaces.
 */
export function parseMessages(text: string): RawMessage[] {
  const json: unknown = JSON.parse(text);
  if (Array.isArray(json)) return json.filter(isObject).map((message) => ({ raw: jsonOf(message), message }));
  if (!isObject(json)) throw new SyntaxError('not a JSON-RPC message');
  return [{ raw: /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text, message: withExactIds(text, json) }];
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
function withExactIds(text: string, message: Message): Message {
  const isRounded = (id: unknown) => typeof id === 'number' && Number.isInteger(id) && !Number.isSafeInteger(id);
  if (!isRounded(message.id) && !isRounded(message.params?.requestId)) return message;
  const tagged = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g, (token) =>
    token.startsWith('"') ? token : `"${integerTag}${token}"`,
  );
  return JSON.parse(tagged, (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith('\0integer:') ? BigInt(value.slice('\0integer:'.length)) : value,
  ) as Message;
}

/** Marks, in JSON text, an integer that is passing through a string. */
const integerTag = '\\u0000integer:';

/** JSON text of a value that may hold bigints. */
export function jsonOf(value: unknown): string {
  const text = JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'bigint' ? `\0integer:${member}` : member,
  );
  return text.includes(integerTag) ? text.replace(/"\\u0000integer:(-?\d+)"/g, '$1') : text;
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
