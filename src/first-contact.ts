import type { Connection, Surroundings } from './bridge.ts';
import type { Config } from './config.ts';
import { authorizationOf, isConnected } from './credentials/record.ts';
import { BridgeError } from './errors.ts';
import { anonymousHello, errorOf } from './mcp/answers.ts';
import type { Delivery } from './mcp/exchange.ts';
import { createHands, type Hands } from './mcp/hands.ts';
import { createListCache, type ListCache } from './mcp/list-cache.ts';
import { createLists } from './mcp/lists.ts';
import type { Session } from './mcp/session.ts';
import { createStatelessUpstream } from './mcp/stateless-upstream.ts';
import { createUpstream, type Upstream, type UpstreamOptions } from './mcp/upstream.ts';
import { createUpstreamEra } from './mcp/upstream-era.ts';
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
export async function makeContact(surroundings: Surroundings, connection: Connection): Promise<Contact> {
  const { config, clock, log, random, version } = surroundings;
  const { location, http, store, tokens } = connection;
  const cache = createListCache(location.lists, log);
  const exchanging = { url: config.upstreamUrl, http, tokens, clock, log, random };
  const hands = createHands(clock, bound, new AbortController().signal);
  const { upstream, link, hello } = await speak({ config, cache, exchanging, hello: anonymousHello(version), hands });
  hands.release();
  if ('kind' in link) {
    if (link.kind === 'challenged') {
      const { challenge, authorization } = link;
      return { kind: 'challenged', challenge, authorization };
    }
    throw errorOf(link, { id: null, method: 'initialize' });
  }
  const record = await store.load();
  const authorization = () => ({ name: authorizationOf(record), connected: isConnected(record) });
  const newHands = () => createHands(clock, bound, new AbortController().signal);
  const lists = createLists({ cache, upstream, clock, hello: () => hello, authorization, newHands, announce: nobody });
  await Promise.all([link.isStateless || cache.rememberServer(link.server), lists.refresh(link)]);
  await upstream.close?.();
  const { title, name } = link.server.serverInfo;
  // Only `initialize` has to be answered with a name.
  const known = link.isStateless ? (name ?? config.upstreamUrl.host) : name;
  if (typeof known !== 'string') throw new BridgeError('UPSTREAM_REFUSED', 'the server does not say who it is');
  return { kind: 'connected', serverName: typeof title === 'string' ? title : known };
}

interface Speaking {
  config: Config;
  cache: ListCache;
  exchanging: Omit<UpstreamOptions, 'hello' | 'onMessage' | 'onSession' | 'onSessionEnd'>;
  hello: Record<string, unknown>;
  hands: Hands;
}

interface Spoken {
  upstream: Pick<Upstream, 'ask' | 'session'> & Partial<Pick<Upstream, 'close'>>;
  link: Session | Delivery;
  hello: Record<string, unknown>;
}

const nobody = async () => undefined;

/** In the era that upstream is known to speak, else with `initialize`; and learns whether there is the other one, too. */
async function speak({ config, cache, exchanging, hello, hands }: Speaking): Promise<Spoken> {
  const { clock, log } = exchanging;
  const era = createUpstreamEra({ cache, clock, log, told: config.protocol });
  const modernHello = { ...hello, protocolVersion: era.revision };
  const callbacks = { discovered: era.discovered, onVerdict: era.learn, onAnswered: () => undefined };
  const stateless = createStatelessUpstream({ ...exchanging, ...callbacks, hello: () => modernHello });
  const modern = async () => ({ upstream: stateless, link: await stateless.connect(hands), hello: modernHello });
  if (era.isModern()) {
    const spoken = await modern();
    if (era.isModern()) return spoken;
  }
  const nothing = { onMessage: nobody, onSession: () => undefined, onSessionEnd: () => undefined };
  const upstream = createUpstream({ ...exchanging, ...nothing, hello: () => hello });
  await upstream.confirm();
  const link = await upstream.connect(hands);
  const isRefused = 'kind' in link && link.kind === 'refused';
  if ((!('kind' in link) || isRefused) && era.isDue()) {
    const spoken = await modern();
    if (isRefused && era.isModern()) return spoken;
  }
  return { upstream, link, hello };
}
