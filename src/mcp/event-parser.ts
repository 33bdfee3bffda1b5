import { large } from './messages.ts';

/** One event of a stream (WHATWG HTML, server-sent events). */
export interface StreamEvent {
  /** Bytes where they are many: they are passed on as they came, and never become a text. Absent where only an id came. */
  data?: string | Buffer;
  type: string;
  id?: string;
}

interface EventParser {
  /** The events that end in this chunk. */
  feed(chunk: Buffer): StreamEvent[];
}

const lineFeed = 10;
const carriageReturn = 13;
const colon = 58;
const space = 32;
const byteOrderMark = Buffer.from('\uFEFF');

/** Takes a stream apart as bytes. */
export function createEventParser(onRetry: (ms: number) => void): EventParser {
  /** Of a line that goes on in the next chunk. */
  let parts: Buffer[] = [];
  let endedByReturn = false;
  let isFirst = true;
  let data: (string | Buffer)[] = [];
  let type = '';
  let id: string | undefined;

  const takeLine = (bytes: Buffer, start: number, end: number) => {
    let nameEnd = start;
    while (nameEnd < end && bytes[nameEnd] !== colon) nameEnd += 1;
    const value = Math.min(end, bytes[nameEnd + 1] === space ? nameEnd + 2 : nameEnd + 1);
    switch (bytes.toString('latin1', start, Math.min(nameEnd, start + longestName))) {
      case 'data':
        data.push(end - value < large ? bytes.toString('utf8', value, end) : bytes.subarray(value, end));
        break;
      case 'event':
        type = bytes.toString('utf8', value, end);
        break;
      case 'id':
        if (!bytes.subarray(value, end).includes(0)) id = bytes.toString('utf8', value, end);
        break;
      case 'retry': {
        const retry = bytes.toString('utf8', value, end);
        if (/^\d+$/.test(retry)) onRetry(Number(retry));
      }
    }
  };

  const endEvent = (): StreamEvent | undefined => {
    const event = { type: type || 'message', ...(id === undefined ? {} : { id }), ...joined(data) };
    data = [];
    type = '';
    id = undefined;
    return 'data' in event || 'id' in event ? event : undefined;
  };

  /** A line that may have begun in an earlier chunk. */
  const endLine = (chunk: Buffer, start: number, end: number): StreamEvent | undefined => {
    const isWhole = parts.length === 0 && !isFirst;
    const bytes = isWhole ? chunk : Buffer.concat([...parts, chunk.subarray(start, end)]);
    const to = isWhole ? end : bytes.length;
    let from = isWhole ? start : 0;
    if (isFirst && bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark)) from = byteOrderMark.length;
    isFirst = false;
    parts = [];
    if (from === to) return endEvent();
    takeLine(bytes, from, to);
    return undefined;
  };

  const feed = (chunk: Buffer): StreamEvent[] => {
    const events: StreamEvent[] = [];
    let start = endedByReturn && chunk[0] === lineFeed ? 1 : 0;
    if (chunk.length > 0) endedByReturn = false;
    const feeds = createSearch(chunk, lineFeed);
    const returns = createSearch(chunk, carriageReturn);
    for (;;) {
      const end = Math.min(feeds(start), returns(start));
      if (end === Number.POSITIVE_INFINITY) break;
      const event = endLine(chunk, start, end);
      if (event) events.push(event);
      start = end + 1;
      if (chunk[end] !== carriageReturn) continue;
      if (start === chunk.length) endedByReturn = true;
      else if (chunk[start] === lineFeed) start += 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
    return events;
  };

  return { feed };
}

/** One more than the longest name of a field: what is longer is none. */
const longestName = 6;

function joined(lines: readonly (string | Buffer)[]): Pick<StreamEvent, 'data'> {
  const [first, ...more] = lines;
  if (first === undefined) return {};
  return { data: more.length === 0 ? first : lines.map((line) => line.toString()).join('\n') };
}

/** Where the next such byte is, looked for only once: a chunk may hold a thousand lines, and no return. */
function createSearch(chunk: Buffer, byte: number): (from: number) => number {
  let found = -1;
  return (from) => {
    if (found < from) {
      found = chunk.indexOf(byte, from);
      if (found === -1) found = Number.POSITIVE_INFINITY;
    }
    return found;
  };
}
