import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode, visit } from 'jsonc-parser';

export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** JSON as people write it, with comments. */
export interface JsonText {
  text: string;
  /** Undefined in a text of nothing but white space and comments. */
  root: Node | undefined;
  /** The offset of the first comment. */
  comment: number | undefined;
}

export interface Damage {
  offset: number;
  what: string;
}

/** `trailingCommas`: whether a comma after the last member is fine. */
export function parseJsonText(text: string, trailingCommas: boolean): JsonText | Damage {
  const errors: ParseError[] = [];
  const options = { allowTrailingComma: trailingCommas, allowEmptyContent: true };
  const root = parseTree(text, errors, options);
  const [error] = errors;
  if (error) return { offset: error.offset, what: wordsOf(error) };
  const comments: number[] = [];
  visit(text, { onComment: (offset) => void comments.push(offset) }, options);
  return { text, root, comment: comments[0] };
}

export function valueAt({ root }: JsonText, path: readonly string[]): { value: Json; offset: number } | undefined {
  const node = path.reduce((at: Node | undefined, name) => at && below(propertyOf(at, name)), root);
  return node && { value: getNodeValue(node), offset: node.offset };
}

/** Both count from 1. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  const lines = text.slice(0, offset).split(/\r\n|\n|\r/);
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}

export interface Change {
  /** The whole text as it is now. */
  text: string;
  /** The member that changed, for a person to see. */
  removed: string;
  added: string;
}

/** Sets one value and leaves every other byte as it is. What exists of the way there has to be objects. */
export function withValue({ text, root }: JsonText, path: readonly string[], value: Json): Change {
  const style = styleOf(text, root);
  if (!root) return appended(text, nested(path, value), style);
  let object = root;
  for (const [depth, name] of path.entries()) {
    const property = propertyOf(object, name);
    const found = below(property);
    if (!property || !found) return inserted(text, object, [name, nested(path.slice(depth + 1), value)], style);
    if (depth === path.length - 1) return replaced(text, property, found, value);
    object = found;
  }
  throw new TypeError('a path without a name');
}

interface Style {
  lineBreak: string;
  /** One level of indentation. */
  unit: string;
}

function styleOf(text: string, root: Node | undefined): Style {
  const first = root?.children?.[0];
  return {
    lineBreak: /\r\n|\n|\r/.exec(text)?.[0] ?? '\n',
    unit: (first && ownIndentation(text, first.offset)) || '  ',
  };
}

function appended(text: string, value: Json, style: Style): Change {
  const added = onLines(value, '', style);
  const before = text === '' || /[\r\n]$/.test(text) ? '' : style.lineBreak;
  return { text: `${text}${before}${added}${style.lineBreak}`, removed: '', added };
}

function replaced(text: string, property: Node, old: Node, value: Json): Change {
  const name = text.slice(property.offset, old.offset);
  const removed = text.slice(old.offset, endOf(old));
  const added = onOneLine(value, ' ');
  return {
    text: splice(text, old.offset, endOf(old), added),
    removed: `${name}${removed}`,
    added: `${name}${added}`,
  };
}

function inserted(text: string, object: Node, [name, value]: [string, Json], style: Style): Change {
  const last = object.children?.at(-1);
  const start = last ? endOf(last) : object.offset + 1;
  const { anchor, comma, closing, breaks } = gapAfter(text, start, last !== undefined);
  const insertion = { at: anchor, before: '', added: '', after: comma === undefined ? '' : ',' };
  if (isOnOneLine(text, object)) {
    const space = isDense(text, last ?? object.parent) ? '' : ' ';
    insertion.before = last ? space : '';
    insertion.added = `${JSON.stringify(name)}:${space}${onOneLine(value, space)}`;
  } else {
    const outer = lineIndentation(text, object.offset);
    const indentation = (last && ownIndentation(text, last.offset)) ?? `${outer}${style.unit}`;
    insertion.before = `${style.lineBreak}${indentation}`;
    insertion.added = `${JSON.stringify(name)}: ${onLines(value, indentation, style)}`;
    // `{}` is opened up.
    if (!last && !breaks) {
      insertion.at = closing;
      insertion.after = `${style.lineBreak}${outer}`;
    }
  }
  const { at, before, added, after } = insertion;
  const changed = splice(text, at, at, `${before}${added}${after}`);
  const separated = last && comma === undefined ? splice(changed, start, start, ',') : changed;
  return { text: separated, removed: '', added };
}

interface Gap {
  /** Behind the comma and the comments that belong to the last member; in an empty object behind every comment. */
  anchor: number;
  /** The offset of a trailing comma. */
  comma: number | undefined;
  /** The offset of the brace that ends the object. */
  closing: number;
  /** A line ends between the anchor and that brace. */
  breaks: boolean;
}

/** What stands between the last member of an object, or its opening brace, and its closing brace. */
function gapAfter(text: string, start: number, afterMember: boolean): Gap {
  const gap: Gap = { anchor: start, comma: undefined, closing: start, breaks: false };
  const token = /(?<space>[ \t]+)|(?<end>\r\n|\n|\r)|(?<comma>,)|(?<comment>\/\/[^\r\n]*|\/\*[\s\S]*?\*\/)/y;
  token.lastIndex = start;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const { space, end, comma } = found.groups ?? {};
    gap.closing = token.lastIndex;
    if (comma) gap.comma = found.index;
    if (end) gap.breaks = true;
    else if (!space && (comma || !afterMember || !gap.breaks)) {
      gap.anchor = token.lastIndex;
      gap.breaks = false;
    }
  }
  return gap;
}

/** An empty object is written as the one around it. */
function isOnOneLine(text: string, object: Node): boolean {
  if (/[\r\n]/.test(text.slice(object.offset, endOf(object)))) return false;
  if (object.children?.length) return true;
  const around = object.parent?.parent;
  return around !== undefined && isOnOneLine(text, around);
}

function isDense(text: string, property: Node | undefined): boolean {
  return property?.colonOffset !== undefined && !/\s/.test(text.charAt(property.colonOffset + 1));
}

/** What stands before this offset on its line, if that is white space only. */
function ownIndentation(text: string, offset: number): string | undefined {
  const before = text.slice(lineStart(text, offset), offset);
  return before.trim() === '' ? before : undefined;
}

function lineIndentation(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(lineStart(text, offset), offset))?.[0] ?? '';
}

function lineStart(text: string, offset: number): number {
  return Math.max(text.lastIndexOf('\n', offset - 1), text.lastIndexOf('\r', offset - 1)) + 1;
}

function onLines(value: Json, indentation: string, style: Style): string {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return onOneLine(value, ' ');
  const inner = `${indentation}${style.unit}`;
  const members = Object.entries(value).map(
    ([name, member]) => `${inner}${JSON.stringify(name)}: ${onLines(member, inner, style)}`,
  );
  return ['{', members.join(`,${style.lineBreak}`), `${indentation}}`].join(style.lineBreak);
}

function onOneLine(value: Json, space: string): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => onOneLine(item, space)).join(`,${space}`)}]`;
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}:${space}${onOneLine(member, space)}`,
  );
  return `{${members.join(`,${space}`)}}`;
}

function nested(path: readonly string[], value: Json): Json {
  return path.reduceRight((inner, name) => ({ [name]: inner }), value);
}

/** Of a name that stands twice the last one counts, as for everybody who reads JSON. */
function propertyOf(node: Node, name: string): Node | undefined {
  return node.children?.findLast(({ type, children }) => type === 'property' && children?.[0]?.value === name);
}

function below(property: Node | undefined): Node | undefined {
  return property?.children?.[1];
}

function endOf(node: Node): number {
  return node.offset + node.length;
}

function splice(text: string, start: number, end: number, content: string): string {
  return `${text.slice(0, start)}${content}${text.slice(end)}`;
}

/** `CommaExpected` as "comma expected". */
function wordsOf({ error }: ParseError): string {
  return printParseErrorCode(error)
    .replace(/\B[A-Z]/g, (letter) => ` ${letter}`)
    .toLowerCase();
}
