import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { type Clock, createDeadline, untilAborted } from './clock.ts';
import { type Config, forConnection } from './config.ts';
import type { ProxyFor } from './connections.ts';
import { type Counters, createCounters } from './credentials/counters.ts';
import { type Location, locate } from './credentials/location.ts';
import { createPresence, type Presence } from './credentials/presence.ts';
import { authorizationOf, isConnected } from './credentials/record.ts';
import { createStore, type Store } from './credentials/store.ts';
import { describe } from './errors.ts';
import { createHttp, type Http } from './http.ts';
import type { Log } from './log.ts';
import { connectDownstream } from './mcp/downstream.ts';
import { createListCache } from './mcp/list-cache.ts';
import { createRelay } from './mcp/relay.ts';
import { createShownTools } from './mcp/shown-tools.ts';
import { createStatelessUpstream } from './mcp/stateless-upstream.ts';
import { createUpstream } from './mcp/upstream.ts';
import type { OpenBrowser } from './oauth/browser.ts';
import { createLoopbackPorts } from './oauth/loopback.ts';
import type { Connecting } from './oauth/page.ts';
import { createSignIn, type SignIn } from './sign-in.ts';
import { createSignInHost } from './sign-in-host.ts';
import { askers, createSignInPolicy } from './sign-in-policy.ts';
import { createTokenSource, type TokenSource } from './token-source.ts';
import { keepUp } from './upkeep.ts';

/** What a command needs of the outside. */
export interface Surroundings {
  config: Config;
  clock: Clock;
  log: Log;
  random: () => number;
  /** The proxy that the environment names for a URL. */
  proxyFor: ProxyFor;
  /** Absent where no tab can open. */
  openBrowser: OpenBrowser | undefined;
  version: string;
}

/** For the expendable side files, ms: a folder that refuses is asked again for seconds. */
const lastNotes = 100;

/** One connection: its record, its tokens and its sign-in, composed. Used by the bridge and by the commands. */
export interface Connection {
  location: Location;
  http: Http;
  store: Store;
  tokens: TokenSource;
  signIn: SignIn;
  counters: Counters;
  presence: Presence;
  /** From here on no refresh begins; those that were sent come to their end and are stored; then everything is taken down. */
  close(): Promise<void>;
}

export function openConnection({ config, clock, log, random, proxyFor, openBrowser }: Surroundings): Connection {
  const { upstreamUrl, profile, callbackPort, preregistered } = config;
  const http = createHttp(clock, proxyFor);
  const location = locate(config.folder, profile, upstreamUrl);
  const store = createStore({ location, upstreamUrl: upstreamUrl.href, clock, log });
  const counters = createCounters(location.counters, clock, log);
  const presence = createPresence({ prefix: location.running, processes: store.processes, clock, log });
  // Who only looks is not there.
  if (config.command !== 'status' && config.command !== 'doctor')
    presence.announce(config.command === 'serve' ? 'server' : config.command);
  const tokens = createTokenSource({ store, http, clock, log, random, onRefresh: counters.addRefresh });
  const ports = createLoopbackPorts(http, clock);
  const onSignedIn = () => counters.add('signIns');
  const who = { upstreamUrl, about: connectingTo(config), callbackPort, preregistered };
  const host = createSignInHost({ store, http, ports, clock, log, ...who, onSignedIn });
  const countingBrowser = (open: OpenBrowser) => (url: string) => {
    counters.add('tabsOpened');
    return open(url);
  };
  const browser = config.noBrowser || !openBrowser ? undefined : countingBrowser(openBrowser);
  const signIn = createSignIn({ store, host, openBrowser: browser, clock, log, newId: randomUUID });
  const close = async () => {
    await Promise.allSettled([tokens.close(), signIn.close()]);
    const notes = createDeadline(clock, lastNotes);
    await untilAborted(Promise.all([counters.settled(), presence.leave()]), notes.signal);
    notes.release();
    store.close();
    http.closeIdle();
  };
  return { location, http, store, tokens, signIn, counters, presence, close };
}

/** What the page of a sign-in says of the connection. */
export function connectingTo(config: Config): Connecting {
  const command = (name: string) => forConnection(config, `npx -y notion-mcp-bridge ${name}`);
  const commands = { login: command('login'), logout: command('logout'), status: command('status') };
  return { profile: config.profile, server: config.upstreamUrl.host, commands };
}

export interface Stdio {
  input: Readable;
  output: Writable;
}

/** "In use": the client asked for something this recently. */
const useFades = 3_600_000;
const farewell = 350;

/** Serves one client over stdio until it is gone or `stop` aborts. */
export async function runBridge(surroundings: Surroundings, stdio: Stdio, stop: AbortSignal): Promise<void> {
  const { config, clock, log, random, version } = surroundings;
  const connection = openConnection(surroundings);
  const { location, http, store, tokens, signIn, presence } = connection;
  const policy = createSignInPolicy({ signIn, store, clock, log, startedAt: clock.now() });
  const cache = createListCache(location.lists, log);
  const over = new AbortController();
  let authorization = { name: 'signed_out', connected: false };
  let lastUse = clock.monotonic();
  let reauthDue = config.reauth;

  const downstream = connectDownstream(stdio.input, stdio.output, (message) => {
    lastUse = clock.monotonic();
    relay.take(message);
  });

  const exchanging = { url: config.upstreamUrl, http, tokens, clock, log, random };
  const relay = createRelay({
    clock,
    log,
    cache,
    version,
    hintFor: (hint) => forConnection(config, hint),
    send: downstream.send,
    random,
    protocol: config.protocol,
    shownTools: createShownTools(config, log),
    createUpstream: (callbacks) => createUpstream({ ...exchanging, ...callbacks }),
    createStateless: (callbacks) => createStatelessUpstream({ ...exchanging, ...callbacks }),
    signIn: (need, { wanting, ...waiting }) => policy.satisfy(need, askers[wanting], waiting),
    signInRequired: policy.required,
    authorization: () => authorization,
    readAuthorization: () => readAuthorization(),
    onInitialized: ({ clientInfo }) => {
      presence.servesClient((clientInfo as { name?: unknown } | undefined)?.name);
      signIn.takePart();
      store.subscribe(() => void followRecord());
      void followRecord();
    },
    onToolCall: () => {
      if (!reauthDue) return;
      reauthDue = false;
      void policy.signInAgain();
    },
  });

  const readAuthorization = async () => {
    const record = await store.load().catch((error) => log.error(describe(error)));
    if (record) authorization = { name: authorizationOf(record), connected: isConnected(record) };
  };

  const followRecord = async () => {
    await readAuthorization();
    await relay.follow();
  };

  const isInUse = () => clock.monotonic() - lastUse < useFades;
  void keepUp({ store, tokens, clock, log, isInUse }, over.signal);

  const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([downstream.closed, stopped]);
  over.abort();
  const deadline = createDeadline(clock, farewell);
  await Promise.all([connection.close(), untilAborted(relay.close(), deadline.signal)]);
}
