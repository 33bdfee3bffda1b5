/** What a client asks, a row of the table each. A call of `count` may change something, one of `notion-get-users` may not. */
const requests = {
  initialize: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'raw-client', version: '1.0.0' },
  },
  'server/discover': {},
  ping: {},
  'tools/list': {},
  'prompts/list': {},
  'resources/list': {},
  'resources/templates/list': {},
  'a read': { name: 'notion-get-users', arguments: {} },
  'a change': { name: 'count', arguments: {} },
  'notion-connect': { name: 'notion-connect', arguments: {} },
  'logging/setLevel': { level: 'error' },
  'resources/subscribe': { uri: 'notion://workspace/recent-pages' },
  'resources/read': { uri: 'notion://workspace/recent-pages' },
  'prompts/get': { name: 'summarize-page', arguments: { page: 'Minutes' } },
  'completion/complete': { ref: { type: 'ref/prompt', name: 'summarize-page' }, argument: { name: 'page', value: '' } },
  'unknown/method': {},
} as const;

/** Nobody answers it: a row that tells whether it was passed on. */
export const notification = 'notifications/roots/list_changed';

export type Row = keyof typeof requests;

export function isRow(name: string): name is Row {
  return name in requests;
}

const calls: readonly Row[] = ['a read', 'a change', 'notion-connect'];

export function isCall(row: Row): boolean {
  return calls.includes(row);
}

export function methodOf(row: Row): string {
  return isCall(row) ? 'tools/call' : row;
}

export function paramsOf(row: Row, clientInfo?: object): object {
  return row === 'initialize' && clientInfo ? { ...requests.initialize, clientInfo } : requests[row];
}
