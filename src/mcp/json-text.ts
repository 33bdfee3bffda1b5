/** A value in a JSON text: from `start` up to, and without, `end`. */
export interface Span {
  start: number;
  end: number;
}

// For what has to be read or replaced without touching the bytes around it (P9). The texts are valid JSON: JSON.parse has
// read them. However deep they nest, nothing here calls itself.

/** The value at this path of member names; of a name that stands there twice the last one, as JSON.parse has it. */
export function spanOf(text: string, ...path: string[]): Span | undefined {
  let span: Span | undefined = { start: afterSpace(text, 0), end: text.length };
  for (const name of path) {
    if (!span || text[span.start] !== '{') return undefined;
    span = itemsOf(text, span.start).findLast((member) => member.name === name);
  }
  return span;
}

/** The values of the array or object that begins at `at`, in their order; those of an object with their names. */
export function itemsOf(text: string, at: number): (Span & { name?: string })[] {
  const items: (Span & { name?: string })[] = [];
  const isObject = text[at] === '{';
  for (let next = afterSpace(text, at + 1); text[next] !== ']' && text[next] !== '}'; ) {
    const nameEnd = isObject ? endOfString(text, next) : next;
    const start = isObject ? afterSpace(text, afterSpace(text, nameEnd) + 1) : next;
    const end = endOfValue(text, start);
    items.push({ start, end, ...(isObject ? { name: JSON.parse(text.slice(next, nameEnd)) as string } : {}) });
    const comma = afterSpace(text, end);
    next = text[comma] === ',' ? afterSpace(text, comma + 1) : comma;
  }
  return items;
}

export function textAt(text: string, { start, end }: Span): string {
  return text.slice(start, end);
}

/** The text with another value in this place. */
export function replaced(text: string, { start, end }: Span, value: string): string {
  return text.slice(0, start) + value + text.slice(end);
}

const afterSpaces = /\S|$/g;
const endOfWord = /[\s,\]}]|$/g;
const bracketOrString = /["{}[\]]/g;

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== '{' && first !== '[') return indexOf(endOfWord, text, start);
  let depth = 0;
  for (let at = start; ; at = indexOf(bracketOrString, text, at)) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at);
    else {
      depth += char === '{' || char === '[' ? 1 : -1;
      at += 1;
      if (depth === 0) return at;
    }
  }
}

function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); ; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0;
    while (text[quote - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
  }
}

function afterSpace(text: string, start: number): number {
  return indexOf(afterSpaces, text, start);
}

/** Where the pattern, a global one, is met next. */
function indexOf(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.exec(text)?.index ?? text.length;
}
