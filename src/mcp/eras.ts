import type { Message, Request } from './messages.ts';

/** The revisions that begin with `initialize`, oldest first. They are dates, and compare as texts. */
export const initializeRevisions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const;
export const newestInitialize = initializeRevisions[initializeRevisions.length - 1] as string;

/** The first one in which every request says of itself what `initialize` had said ("modern" in its words). */
export const firstModern = '2026-07-28';

/** Members of `_meta` that revision 2026-07-28 reserves. */
export const metaKeys = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** What 2026-07-28 has no more: of that era nobody knows these. */
export const removedMethods: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
]);

/** JSON-RPC errors that only a modern server sends. */
export const headerMismatch = -32020;
export const missingCapability = -32021;
export const unsupportedVersion = -32022;

export function isRevision(text: unknown): text is string {
  return typeof text === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(text);
}

export function isModernRevision(text: unknown): text is string {
  return isRevision(text) && text >= firstModern;
}

function metaOf({ params }: Message): Record<string, unknown> {
  const meta = params?._meta;
  return typeof meta === 'object' && meta !== null ? (meta as Record<string, unknown>) : {};
}

/** The revision that a message says it is of. */
export function revisionOf(message: Message): unknown {
  return metaOf(message)[metaKeys.protocolVersion];
}

export function isModern(message: Message): boolean {
  return isModernRevision(revisionOf(message));
}

/** What a modern request says of its client, in the words of `initialize`. */
export function helloOf(request: Request): Record<string, unknown> {
  const meta = metaOf(request);
  return {
    protocolVersion: meta[metaKeys.protocolVersion],
    capabilities: meta[metaKeys.clientCapabilities] ?? {},
    clientInfo: meta[metaKeys.clientInfo],
  };
}

/** The other way: `_meta` of a modern request of our own, on behalf of this client. */
export function metaFor({ protocolVersion, capabilities, clientInfo }: Record<string, unknown>) {
  return {
    [metaKeys.protocolVersion]: isModernRevision(protocolVersion) ? protocolVersion : firstModern,
    [metaKeys.clientCapabilities]: capabilities ?? {},
    ...(clientInfo === undefined ? {} : { [metaKeys.clientInfo]: clientInfo }),
  };
}

export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined | null)?.code;
}

/** The revisions that a server names when it refuses the one it was asked in. */
export function supportedBy(error: unknown): string[] {
  const supported = (error as { data?: { supported?: unknown } } | undefined)?.data?.supported;
  return codeOf(error) === unsupportedVersion && Array.isArray(supported) ? supported.filter(isRevision) : [];
}
