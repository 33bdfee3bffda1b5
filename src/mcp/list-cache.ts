import { createHash } from 'node:crypto';
import { createSideFile } from '../credentials/side-file.ts';
import type { Log } from '../log.ts';
import { firstModern, isModernRevision } from './eras.ts';
import type { ServerDescription } from './session.ts';

/** The lists of MCP, and the member of the answer that holds the items. */
export const listMembers = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
} as const;
export type ListMethod = keyof typeof listMembers;

/** A whole list: the answer of the server, without a cursor. */
export type WholeList = Record<string, unknown>;

interface ClientLists {
  authorization: string;
  lists: Partial<Record<ListMethod, WholeList>>;
}

/** What upstream answered to `server/discover`. */
export interface Discovery {
  /** Wall-clock time, ms. */
  askedAt: number;
  /** Absent when it speaks none of the revisions that know the request. */
  result?: Record<string, unknown>;
}

interface CacheFile {
  server?: ServerDescription;
  discovery?: Discovery;
  clients: Record<string, ClientLists>;
}

/** What upstream last said of itself and of its lists, in an expendable side file (product.md 4, 5). */
export interface ListCache {
  /** What the last `initialize` of any client was answered with. */
  server(): ServerDescription | undefined;
  rememberServer(server: ServerDescription): Promise<void>;
  /** Undefined when nobody has asked upstream for it. */
  discovery(): Discovery | undefined;
  rememberDiscovery(discovery: Discovery): Promise<void>;
  /** The last good whole list for this client, as long as the authorization is the same or there is none now. */
  list(method: ListMethod, client: string, authorization: string, connected: boolean): WholeList | undefined;
  remember(method: ListMethod, client: string, authorization: string, list: WholeList): Promise<void>;
}

/** Lists depend on who asks: client name, version and capabilities; and on the era, which gives them their form. */
export function clientKey(hello: Record<string, unknown>): string {
  const { name, version } = (hello.clientInfo ?? {}) as Record<string, unknown>;
  const era = isModernRevision(hello.protocolVersion) ? [firstModern] : [];
  return createHash('sha256')
    .update(JSON.stringify([name, version, hello.capabilities, ...era]))
    .digest('hex')
    .slice(0, 16);
}

const clientsKept = 20;

export function createListCache(path: string, log: Log): ListCache {
  const file = createSideFile(path, acceptCache, log);
  let known: CacheFile | undefined;

  const load = (): CacheFile => {
    known ??= file.read();
    return known;
  };

  const change = (apply: (content: CacheFile) => CacheFile): Promise<void> => {
    known = apply(load());
    return file.change(apply);
  };

  return {
    server: () => load().server,
    rememberServer: (server) => change((file) => ({ ...file, server })),
    discovery: () => load().discovery,
    rememberDiscovery: (discovery) => change((file) => ({ ...file, discovery })),
    list: (method, client, authorization, connected) => {
      const entry = load().clients[client];
      return entry && (!connected || entry.authorization === authorization) ? entry.lists[method] : undefined;
    },
    remember: (method, client, authorization, list) =>
      change((file) => {
        const { [client]: entry, ...others } = file.clients;
        const lists = entry?.authorization === authorization ? entry.lists : {};
        const clients = Object.entries(others).slice(1 - clientsKept);
        return {
          ...file,
          clients: { ...Object.fromEntries(clients), [client]: { authorization, lists: { ...lists, [method]: list } } },
        };
      }),
  };
}

function acceptCache(json: unknown): CacheFile {
  const { server, discovery, clients } = (json ?? {}) as Partial<CacheFile>;
  return {
    ...(server && typeof server.protocolVersion === 'string' ? { server } : {}),
    ...(isDiscovery(discovery) ? { discovery } : {}),
    clients: typeof clients === 'object' && clients !== null ? clients : {},
  };
}

function isDiscovery(found: Discovery | undefined): found is Discovery {
  const { askedAt, result } = found ?? {};
  return typeof askedAt === 'number' && (result === undefined || (typeof result === 'object' && result !== null));
}
