import { type Clock, createDeadline, untilAborted } from '../clock.ts';
import type { Hands } from './hands.ts';
import { clientKey, type ListCache, type ListMethod, listMembers, type WholeList } from './list-cache.ts';
import type { Request } from './messages.ts';
import type { Session } from './session.ts';
import type { ListedTool } from './shown-tools.ts';
import type { Upstream } from './upstream.ts';

export interface ListsOptions {
  cache: ListCache;
  upstream: Pick<Upstream, 'ask' | 'session'>;
  clock: Clock;
  hello(): Record<string, unknown>;
  /** The record's authorization now, and whether it is connected. */
  authorization(): { name: string; connected: boolean };
  /** A hand of our own, for requests that no client waits for. */
  newHands(): Hands;
  /** Tells the client that a list has changed; `notification` is the method that says so. */
  announce(notification: string): Promise<void>;
}

/** The cached side of MCP's lists (product.md 4): what may be answered now, and telling the client when it has changed. */
export interface Lists {
  cached(method: ListMethod): WholeList | undefined;
  /** Notes what the client was told, so that a later difference is announced. */
  told(method: ListMethod, list: WholeList): void;
  /** Notes that the client got an error in the place of a list. */
  missed(method: ListMethod): void;
  /** Is there a list that the client asked for, and still has not got? */
  isOwed(): boolean;
  /** Takes a live page. */
  learn(page: LivePage): void;
  /** Reads every list that the server has, caches them, and tells the client of differences. */
  refresh(session: Session, only?: ListMethod): Promise<void>;
  /** Upstream announced a change of tools, prompts or resources: reads them again. */
  forget(area: string, session: Session): Promise<void>;
  /** Resolves with `live` when it comes within 3 s, else with undefined: the cached list is due. */
  inTime<T>(live: Promise<T>): Promise<T | undefined>;
  /** A cursor goes only to the session that issued it. */
  mayUseCursor(request: Request): boolean;
  /** A tool as it was listed last. */
  tool(name: unknown): ListedTool | undefined;
  /** May this tool be called twice (P8)? */
  isSafeTool(name: unknown): boolean;
}

interface LivePage {
  request: Request;
  page: WholeList;
  session: Session;
  /** The client gets it, too. */
  passedOn: boolean;
}

const liveWithin = 3_000;
const mostPages = 100;
const mostCursors = 1_000;

/** In the place of the items that the client was told: an error, which differs from any list. */
const unanswered = '';

const announcements: Record<ListMethod, string> = {
  'tools/list': 'notifications/tools/list_changed',
  'prompts/list': 'notifications/prompts/list_changed',
  'resources/list': 'notifications/resources/list_changed',
  'resources/templates/list': 'notifications/resources/list_changed',
};

export function createLists({ cache, upstream, clock, hello, authorization, newHands, announce }: ListsOptions): Lists {
  const lastTold = new Map<ListMethod, string>();
  /** Cursor to the epoch of the session that issued it. */
  const cursors = new Map<string, number>();
  /** Areas that are being read again, and the session that announced yet another change meanwhile. */
  const announced = new Map<string, Session | undefined>();
  let tools: WholeList | undefined;
  /** Those that came in pages, before the whole list is there. */
  const inPages = new Map<unknown, ListedTool>();

  const cached = (method: ListMethod) => {
    const { name, connected } = authorization();
    return cache.list(method, clientKey(hello()), name, connected);
  };

  const keep = async (method: ListMethod, list: WholeList, session: Session) => {
    if (method === 'tools/list') {
      tools = list;
      inPages.clear();
    }
    if (JSON.stringify(cached(method)) !== JSON.stringify(list)) {
      await cache.remember(method, clientKey(hello()), session.authorization ?? authorization().name, list);
    }
    const told = lastTold.get(method);
    if (told === undefined || told === itemsOf(method, list)) return;
    lastTold.set(method, itemsOf(method, list));
    await announce(announcements[method]);
  };

  const told = (method: ListMethod, list: WholeList) => {
    lastTold.set(method, itemsOf(method, list));
  };

  const missed = (method: ListMethod) => void lastTold.set(method, unanswered);
  const isOwed = () => [...lastTold.values()].includes(unanswered);

  const noteCursor = (cursor: string, epoch: number) => {
    cursors.set(cursor, epoch);
    const [oldest] = cursors.keys();
    if (cursors.size > mostCursors && oldest !== undefined) cursors.delete(oldest);
  };

  const learn: Lists['learn'] = ({ request, page, session, passedOn }) => {
    const method = request.method as ListMethod;
    const { nextCursor } = page;
    if (typeof nextCursor === 'string') noteCursor(nextCursor, session.epoch);
    if (method === 'tools/list') for (const tool of toolsOf(page)) inPages.set(tool.name, tool);
    if (request.params?.cursor !== undefined) return;
    if (typeof nextCursor !== 'string') {
      if (passedOn) told(method, page);
      void keep(method, page, session);
      return;
    }
    // The client reads the rest itself: what it knows is no list that we have told.
    if (passedOn) lastTold.delete(method);
    void refresh(session, method);
  };

  const refresh = async (session: Session, only?: ListMethod) => {
    for (const method of Object.keys(listMembers) as ListMethod[]) {
      const area = method.split('/')[0] as string;
      if ((only && only !== method) || session.server.capabilities[area] === undefined) continue;
      const list = await readWhole(session, method);
      if (list && !session.over.signal.aborted) await keep(method, list, session);
    }
  };

  /** The client heard the announcement itself, so what it was told no longer counts. However many come, one reading follows another. */
  const forget = async (area: string, session: Session) => {
    const methods = (Object.keys(listMembers) as ListMethod[]).filter((method) => method.startsWith(`${area}/`));
    for (const method of methods) lastTold.delete(method);
    const isBeingRead = announced.has(area);
    announced.set(area, session);
    if (isBeingRead) return;
    try {
      for (let due = announced.get(area); due; due = announced.get(area)) {
        announced.set(area, undefined);
        for (const method of methods) await refresh(due, method);
      }
    } finally {
      announced.delete(area);
    }
  };

  const readWhole = async (session: Session, method: ListMethod): Promise<WholeList | undefined> => {
    const hands = newHands();
    const member = listMembers[method];
    try {
      const items: unknown[] = [];
      let cursor: unknown;
      for (let page = 0; page < mostPages; page++) {
        const answer = await upstream.ask(session, method, cursor === undefined ? {} : { cursor }, hands);
        if (!answer || !Array.isArray(answer[member])) return undefined;
        items.push(...(answer[member] as unknown[]));
        const { nextCursor, ...rest } = answer;
        if (typeof nextCursor !== 'string') return { ...rest, [member]: items };
        cursor = nextCursor;
      }
      return undefined;
    } catch {
      // Reading ahead is a courtesy; whoever needs the list asks for it and gets the error.
      return undefined;
    } finally {
      hands.release();
    }
  };

  const inTime = async <T>(live: Promise<T>): Promise<T | undefined> => {
    const deadline = createDeadline(clock, liveWithin);
    return untilAborted(live, deadline.signal).finally(deadline.release);
  };

  const mayUseCursor = ({ params }: Request) => {
    const cursor = params?.cursor;
    // Without sessions a cursor is good for as long as upstream says.
    if (cursor === undefined || upstream.session?.isStateless) return true;
    const epoch = typeof cursor === 'string' ? cursors.get(cursor) : undefined;
    return epoch !== undefined && epoch === upstream.session?.epoch;
  };

  const tool = (name: unknown) =>
    toolsOf(tools ?? cached('tools/list')).find((listed) => listed.name === name) ?? inPages.get(name);

  const isSafeTool = (name: unknown) => {
    const annotations = tool(name)?.annotations;
    return annotations?.readOnlyHint === true || annotations?.idempotentHint === true;
  };

  return { cached, told, missed, isOwed, learn, refresh, forget, inTime, mayUseCursor, tool, isSafeTool };
}

function toolsOf(list: WholeList | undefined): ListedTool[] {
  const tools = list?.tools;
  return Array.isArray(tools) ? tools.filter((tool) => typeof tool === 'object' && tool !== null) : [];
}

function itemsOf(method: ListMethod, list: WholeList): string {
  return JSON.stringify(list[listMembers[method]]);
}
