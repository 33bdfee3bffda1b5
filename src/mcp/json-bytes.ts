/** Where each member of a JSON object begins and ends in its bytes. */
export type Members = Map<string, { start: number; end: number }>;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const [openBrace, closeBrace, openBracket, closeBracket] = [0x7b, 0x7d, 0x5b, 0x5d];
const escapes = new Set(Buffer.from('"\\/bfnrt'));
const literals = ['true', 'false', 'null'].map((text) => [...Buffer.from(text)]);

/**
 * The members of the one JSON object that these bytes are, checked against the whole grammar (RFC 8259), without making
 * values of them. Undefined for all else, and for what only JSON.parse knows to judge: line breaks, doubled names.
 */
export function membersOf(bytes: Buffer): Members | undefined {
  const members: Members = new Map();
  let at = skipSpace(bytes, 0);
  if (bytes[at] !== openBrace) return undefined;
  do {
    const name = skipSpace(bytes, at + 1);
    const start = startOfMember(bytes, name);
    const end = start === -1 ? -1 : endOfValue(bytes, start);
    if (end === -1) return undefined;
    const known = JSON.parse(bytes.toString('utf8', name, endOfString(bytes, name))) as string;
    if (members.has(known)) return undefined;
    members.set(known, { start, end });
    at = skipSpace(bytes, end);
  } while (bytes[at] === comma);
  return bytes[at] === closeBrace && skipSpace(bytes, at + 1) === bytes.length ? members : undefined;
}

/** Every function gives -1 where the bytes are not JSON. */
function endOfValue(bytes: Buffer, start: number): number {
  /** What closes the objects and arrays that are open. */
  const open: number[] = [];
  let at = start;
  for (;;) {
    const first = bytes[at];
    const closing = first === openBrace ? closeBrace : first === openBracket ? closeBracket : undefined;
    const inside = closing === undefined ? -1 : skipSpace(bytes, at + 1);
    if (closing === undefined) at = endOfScalar(bytes, at);
    else if (bytes[inside] === closing) at = inside + 1;
    else {
      open.push(closing);
      at = closing === closeBrace ? startOfMember(bytes, inside) : inside;
      if (at === -1) return -1;
      continue;
    }
    if (at === -1) return -1;
    at = endOfClosed(bytes, at, open);
    if (open.length === 0) return at;
    if (bytes[at] !== comma) return -1;
    at = skipSpace(bytes, at + 1);
    if (open[open.length - 1] === closeBrace) at = startOfMember(bytes, at);
    if (at === -1) return -1;
  }
}

/** After a value: past all that ends right here. */
function endOfClosed(bytes: Buffer, start: number, open: number[]): number {
  let end = start;
  while (open.length > 0) {
    const at = skipSpace(bytes, end);
    if (bytes[at] !== open[open.length - 1]) return at;
    open.pop();
    end = at + 1;
  }
  return end;
}

/** From the name of a member to its value. */
function startOfMember(bytes: Buffer, name: number): number {
  if (bytes[name] !== quote) return -1;
  const end = endOfString(bytes, name);
  if (end === -1) return -1;
  const at = skipSpace(bytes, end);
  return bytes[at] === 0x3a ? skipSpace(bytes, at + 1) : -1;
}

function endOfScalar(bytes: Buffer, start: number): number {
  if (bytes[start] === quote) return endOfString(bytes, start);
  const literal = literals.find(([first]) => first === bytes[start]);
  if (!literal) return endOfNumber(bytes, start);
  return literal.every((byte, nth) => bytes[start + nth] === byte) ? start + literal.length : -1;
}

function endOfNumber(bytes: Buffer, start: number): number {
  const digits = bytes[start] === 0x2d ? start + 1 : start;
  let at = bytes[digits] === 0x30 ? digits + 1 : endOfDigits(bytes, digits);
  if (bytes[at] === 0x2e) at = endOfDigits(bytes, at + 1);
  if (bytes[at] !== 0x65 && bytes[at] !== 0x45) return at;
  const isSigned = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d;
  return endOfDigits(bytes, at + (isSigned ? 2 : 1));
}

function endOfDigits(bytes: Buffer, start: number): number {
  let at = start;
  for (let byte = bytes[at]; byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = bytes[at]) at += 1;
  return at === start ? -1 : at;
}

function endOfString(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === quote) return at + 1;
    if (byte < 0x20) return -1;
    if (byte !== backslash) continue;
    at += 1;
    if (bytes[at] === 0x75) {
      if (!isHex(bytes, at + 1)) return -1;
      at += 4;
    } else if (!escapes.has(bytes[at] as number)) return -1;
  }
  return -1;
}

function isHex(bytes: Buffer, start: number): boolean {
  for (let at = start; at < start + 4; at += 1) {
    const byte = bytes[at] ?? 0;
    const letter = byte | 0x20;
    if (!((byte >= 0x30 && byte <= 0x39) || (letter >= 0x61 && letter <= 0x66))) return false;
  }
  return true;
}

function skipSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at += 1;
  return at;
}
