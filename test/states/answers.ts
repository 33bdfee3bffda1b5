import type { ErrorCode } from '../../src/errors.ts';
import type { Line } from '../support/raw-client.ts';
import { isCall, type Row } from './requests.ts';

/** What a client gets. */
export type Answer =
  /** What upstream said to this very request. */
  | 'live'
  /** What upstream said to an earlier process. */
  | 'cached'
  /** Our own description, before upstream has given one. */
  | 'ours'
  /** A list of nothing. */
  | 'empty'
  | '{}'
  /** The list that holds our own tool alone. */
  | 'notion-connect'
  /** A failure of ours: the result of a call, a JSON-RPC error to anything else. */
  | ErrorCode
  | `${ErrorCode} with the link`
  /** A JSON-RPC error that has no code of ours. */
  | `${number}`;

/** Put into every list of the cache, so that a cached list differs from a live one. */
export const markOfCache = 'only in the cache';

/** The answer in a response, in the words of the table; for what a table has no word for, the response itself. */
export function answerIn(row: Row, { result, error }: Line['json']): string {
  if (error) return error.data?.code ? withLink(error.data.code, error.data.signInUrl) : String(error.code);
  if (isCall(row)) return result.isError ? failureIn(result.content[0].text) : 'live';
  if (row === 'initialize') return result.serverInfo.name === 'notion-mcp-bridge' ? 'ours' : 'cached';
  if (/\/list$/.test(row)) return listIn(Object.values(result)[0] as { name: string }[]);
  return Object.keys(result).length === 0 ? '{}' : 'live';
}

function listIn(items: { name: string }[]): string {
  const names = items.map(({ name }) => name);
  if (names.length === 0) return 'empty';
  if (names.includes(markOfCache)) return 'cached';
  return names.includes('notion-connect') ? names.join() : 'live';
}

function failureIn(text: string): string {
  const code = /^[A-Z_]+(?=: .*Next step: )/s.exec(text)?.[0];
  return code === undefined ? text : withLink(code, /Sign-in link to show to the user: (http\S+)/.exec(text)?.[1]);
}

function withLink(code: string, link: string | undefined): string {
  return link === undefined ? code : `${code} with the link`;
}
