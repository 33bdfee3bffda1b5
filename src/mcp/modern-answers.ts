import { initializeRevisions, unsupportedVersion } from './eras.ts';
import { errorLine, type MessageId } from './messages.ts';

/** For errors of our own: outside of the range that JSON-RPC reserves, as revision 2026-07-28 wants new codes to be. */
export const ownErrorCode = -31_000;

/** Results that say for how long they may be kept (2026-07-28, Caching). */
const cacheable = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

/** A result of our own. One that may be kept is stale at once: it stands in for what upstream would say. */
export function completed(method: string, result: Record<string, unknown> = {}): Record<string, unknown> {
  const stale = cacheable.has(method) ? { ttlMs: 0, cacheScope: 'private' } : {};
  return { ...result, resultType: 'complete', ...stale };
}

export const unknownMethod = { code: -32601, message: 'method not found' };

/** Makes the client go on in another revision; by default in one that begins with `initialize`. */
export function unsupportedLine(id: MessageId, requested: unknown, supported?: readonly string[]): string {
  const data = { supported: supported ?? [...initializeRevisions].reverse(), requested };
  return errorLine(id, { code: unsupportedVersion, message: 'Unsupported protocol version', data });
}
