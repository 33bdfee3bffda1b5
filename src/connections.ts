import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { Clock } from './clock.ts';

/** The URL of the proxy for a URL, or '' where there is none. */
export type ProxyFor = (url: string) => string;

/**
 * `recent`: a connection used within the last 2 s, or a new one, so that a stale pooled connection cannot make the
 * outcome of a change unknown (product.md 8). `pooled`: any idle connection. `new`: always a new one.
 */
export type ConnectionChoice = 'pooled' | 'recent' | 'new';

/** Connections that are kept for the next request, and how it is told that one is none any more. */
export interface Connections {
  /** The agent that has them, with none that cannot be trusted any more. */
  agentFor(url: URL, choice: ConnectionChoice): HttpAgent;
  /** The proxy through which a request to this URL goes; '' for none. */
  proxyOf(url: URL): string;
  /** Ends idle connections, when none of them can be trusted any more. */
  closeIdle(): void;
}

const recentIdle = 2_000;
const pooledIdle = 60_000;
/** Looking at the addresses of this machine takes longer than a small request, ms. */
const addressesKept = 1_000;

/**
 * `proxyFor` is never asked about this machine: the sign-in's own listener must not be looked for elsewhere.
 * `addresses`: those of this machine, in one text.
 */
export function createConnections(clock: Clock, proxyFor: ProxyFor, addresses = ownAddresses): Connections {
  /** By the URL of the proxy; '' is no proxy. */
  const pools = new Map<string, Pools>();
  let lastWall = clock.now();
  let lastMonotonic = clock.monotonic();
  let lastAddresses = addresses();
  let lookedAt = lastMonotonic;
  /** By the monotonic clock. Timers alone would leave a stale connection to a process that stood still. */
  const idleSince = new WeakMap<Socket, number>();
  const closeAllIdle = () => {
    for (const { pooled, recent, new: fresh } of pools.values()) {
      for (const { http, https } of [pooled, recent, fresh]) {
        closeIdle(http);
        closeIdle(https);
      }
    }
  };

  const proxyOf = (url: URL) => (isLoopback(url.hostname) ? '' : proxyFor(url.href));

  const poolsFor = (url: URL): Pools => {
    const proxy = proxyOf(url);
    const known = pools.get(proxy) ?? createPools(proxy, (socket) => idleSince.set(socket, clock.monotonic()));
    pools.set(proxy, known);
    return known;
  };

  /** A laptop that slept shows as wall-clock time that the monotonic clock did not see; timers of idle sockets did not run. */
  const closeAfterGap = () => {
    const gap = clock.now() - lastWall - (clock.monotonic() - lastMonotonic);
    lastWall = clock.now();
    lastMonotonic = clock.monotonic();
    if (Math.abs(gap) > recentIdle) closeAllIdle();
  };

  /** In another network the connections of the last one are dead, and nobody says so: what is sent on them waits for minutes. */
  const closeAfterMove = () => {
    if (clock.monotonic() - lookedAt < addressesKept) return;
    lookedAt = clock.monotonic();
    const present = addresses();
    if (present !== lastAddresses) closeAllIdle();
    lastAddresses = present;
  };

  const agentFor = (url: URL, choice: ConnectionChoice) => {
    closeAfterGap();
    closeAfterMove();
    const pool = poolsFor(url)[choice];
    const agent = url.protocol === 'https:' ? pool.https : pool.http;
    const earliest = clock.monotonic() - pool.idle;
    closeIdle(agent, (socket) => !socket.writable || (idleSince.get(socket) ?? 0) < earliest);
    return agent;
  };

  return { agentFor, proxyOf, closeIdle: closeAllIdle };
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

function ownAddresses(): string {
  try {
    const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
    return all.map(({ address }) => address).join();
  } catch {
    // Some sandboxes do not tell.
    return '';
  }
}

type Pool = { http: HttpAgent; https: HttpAgent; idle: number };
type Pools = Record<ConnectionChoice, Pool>;
type OnIdle = (socket: Socket) => void;

function createPools(proxy: string, onIdle: OnIdle): Pools {
  const create = (idle: number) => createPool(idle, proxy, onIdle);
  return { pooled: create(pooledIdle), recent: create(recentIdle), new: create(0) };
}

function createPool(idle: number, proxy: string, onIdle: OnIdle): Pool {
  const options = idle === 0 ? { keepAlive: false } : { keepAlive: true, timeout: idle, scheduling: 'lifo' as const };
  const http = new HttpAgent(options);
  const https = proxy === '' ? new HttpsAgent(options) : new HttpsProxyAgent(proxy, options);
  for (const agent of [http, https]) agent.on('free', onIdle);
  return { http, https, idle };
}

/** Before its `close` event, which comes later, an agent would still give out a connection that is being closed. */
function closeIdle(agent: HttpAgent, isStale: (socket: Socket) => boolean = () => true): void {
  for (const socket of Object.values(agent.freeSockets).flatMap((sockets) => [...(sockets ?? [])])) {
    if (!isStale(socket)) continue;
    socket.emit('agentRemove');
    socket.destroy();
  }
}
