import type { Connection, Surroundings } from './bridge.ts';
import { authorizationOf, isConnected } from './credentials/record.ts';
import { BridgeError } from './errors.ts';
import { anonymousHello, errorOf } from './mcp/answers.ts';
import { createHands } from './mcp/hands.ts';
import { createListCache } from './mcp/list-cache.ts';
import { createLists } from './mcp/lists.ts';
import { createUpstream } from './mcp/upstream.ts';
import type { Challenge } from './oauth/discovery.ts';

const bound = 30_000;

export type Contact =
  | { kind: 'connected'; serverName: string }
  /** `authorization`: whose token was refused, if any was sent. */
  | { kind: 'challenged'; challenge: Challenge; authorization: string | undefined };

/**
 * Connects once, as a client of our own: tells whether upstream wants a sign-in, and fills the caches where it does not.
 * @throws BridgeError UPSTREAM_UNREACHABLE, UPSTREAM_REFUSED, and what a refresh may throw
 */
export async function makeContact(
  { config, clock, log, random, version }: Surroundings,
  { location, http, store, tokens }: Connection,
): Promise<Contact> {
  const cache = createListCache(location.lists, log);
  const hello = anonymousHello(version);
  const nobody = async () => undefined;
  const newHands = () => createHands(clock, bound, new AbortController().signal);
  const upstream = createUpstream({
    url: config.upstreamUrl,
    http,
    tokens,
    clock,
    log,
    random,
    hello: () => hello,
    onMessage: nobody,
    onSession: () => undefined,
    onSessionEnd: () => undefined,
  });
  await upstream.confirm();
  const hands = newHands();
  const link = await upstream.connect(hands).finally(hands.release);
  if ('kind' in link) {
    if (link.kind === 'challenged') {
      const { challenge, authorization } = link;
      return { kind: 'challenged', challenge, authorization };
    }
    throw errorOf(link, { id: null, method: 'initialize' });
  }
  const record = await store.load();
  const authorization = () => ({ name: authorizationOf(record), connected: isConnected(record) });
  const lists = createLists({ cache, upstream, clock, hello: () => hello, authorization, newHands, send: nobody });
  await Promise.all([cache.rememberServer(link.server), lists.refresh(link)]);
  await upstream.close();
  const { title, name } = link.server.serverInfo;
  if (typeof name !== 'string') throw new BridgeError('UPSTREAM_REFUSED', 'the server does not say who it is');
  return { kind: 'connected', serverName: typeof title === 'string' ? title : name };
}
