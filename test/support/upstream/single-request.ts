/**
 * `fetch` on a connection of its own: one from the pool may have been cut by a restart or a fault a moment ago, and
 * Node's fetch does not resend a POST then.
 */
export function fetchOnce(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, headers: { ...init.headers, connection: 'close' } });
}
