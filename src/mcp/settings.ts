import type { Request } from './messages.ts';

/** What a session forgets and the client does not set again: its log level and its subscriptions (product.md 8). */
export interface Settings {
  /** True when the request is such a setting; it is remembered. */
  note(request: Request): boolean;
  /** The requests that bring a new session to the same state. */
  all(): { method: string; params: Record<string, unknown> }[];
}

export function createSettings(): Settings {
  let level: Record<string, unknown> | undefined;
  const subscriptions = new Map<unknown, Record<string, unknown>>();
  return {
    note: ({ method, params = {} }) => {
      if (method === 'logging/setLevel') level = params;
      else if (method === 'resources/subscribe') subscriptions.set(params.uri, params);
      else if (method === 'resources/unsubscribe') subscriptions.delete(params.uri);
      else return false;
      return true;
    },
    all: () => [
      ...(level ? [{ method: 'logging/setLevel', params: level }] : []),
      ...[...subscriptions.values()].map((params) => ({ method: 'resources/subscribe', params })),
    ],
  };
}
