import { createLockOver } from '../../src/credentials/lock.ts';
import { createStoreOver, type Store } from '../../src/credentials/store.ts';
import { BridgeError } from '../../src/errors.ts';
import type { Http } from '../../src/http.ts';
import type { Log } from '../../src/log.ts';
import { createAuthorizedExchange } from '../../src/mcp/authorized-exchange.ts';
import { createHands } from '../../src/mcp/hands.ts';
import type { OpenBrowser } from '../../src/oauth/browser.ts';
import { createSignIn, type SignIn } from '../../src/sign-in.ts';
import { createSignInHost } from '../../src/sign-in-host.ts';
import { type Asker, askers, createSignInPolicy } from '../../src/sign-in-policy.ts';
import { createTokenSource, type TokenSource } from '../../src/token-source.ts';
import { keepUp } from '../../src/upkeep.ts';
import { openRecordFile } from './disk.ts';
import { openLockFolder } from './lock-state.ts';
import { openPorts } from './ports.ts';
import type { SimulatedProcess } from './process.ts';
import type { World } from './world.ts';

/** What the client gets to see of a call. */
export type CallResult = { kind: 'answered' } | { kind: 'trouble'; code: string; link: string | undefined };

/** The parts of one process that a connection is made of, as `openConnection` in src/bridge.ts makes them. */
export interface SimulatedConnection {
  process: SimulatedProcess;
  http: Http;
  store: Store;
  tokens: TokenSource;
  signIn: SignIn;
  log: Log;
  close(): Promise<void>;
}

export interface SimulatedBridge extends SimulatedConnection {
  call(): Promise<CallResult>;
  /** The tool `notion-connect`: the person asks for a sign-in. */
  connect(): Promise<CallResult>;
  /** The client closes stdin. */
  exit(): Promise<void>;
}

export function openConnection(world: World, process: SimulatedProcess, openBrowser: OpenBrowser): SimulatedConnection {
  const { machine, chance, network, server } = world;
  const { clock, processes } = process;
  const http = network.httpOf(process);
  const log = tellingLog(world, process);
  const folder = openLockFolder(machine.lock, process, () => chance.between(0.2, 2));
  const file = openRecordFile(machine.disk, process, chance);
  const upstreamUrl = new URL(`${server.origin}/mcp`);
  const lock = createLockOver(folder, clock, processes);
  const store = createStoreOver({ file, lock, processes, upstreamUrl: upstreamUrl.href, clock, log });
  const tokens = createTokenSource({ store, http, clock, log, random: chance.unit });
  const ports = openPorts(world, process);
  const commands = { login: '', logout: '', status: '' };
  const about = { profile: 'default', server: upstreamUrl.host, commands };
  const fixed = { about, callbackPort: undefined, preregistered: {} };
  const host = createSignInHost({ store, http, ports, clock, log, upstreamUrl, ...fixed });
  const newId = () => world.nextId();
  const signIn = createSignIn({ store, host, openBrowser, clock, log, newId });
  const close = async () => {
    await Promise.allSettled([tokens.close(), signIn.close()]);
    store.close();
  };
  return { process, http, store, tokens, signIn, log, close };
}

const bound = 30_000;
const useFades = 3_600_000;
const mostRounds = 4;
/** The bounds of product.md 4 for a token, a preparation and a person, and what upstream may take besides. */
const longestCall = 300_000;

/** One running bridge: the parts, upkeep, and a client that calls tools. */
export function startBridge(world: World, process: SimulatedProcess): SimulatedBridge {
  const { chance, server, watch, machine, network } = world;
  const { clock } = process;
  /** How many calls of `notion-connect` wait, or waited a moment ago: a tab that opens now may be theirs. */
  let asking = 0;
  const openBrowser: OpenBrowser = (url) =>
    process.later(chance.between(20, 400), 'a browser is opened', () => {
      const record = world.record();
      if (record) watch.tabOpens(record, process, asking > 0);
      world.person.sees(url);
      return true;
    });
  const connection = openConnection(world, process, openBrowser);
  const { http, store, tokens, signIn, log } = connection;
  const policy = createSignInPolicy({ signIn, store, clock, log, startedAt: clock.now() });
  const exchange = createAuthorizedExchange({
    url: new URL(`${server.origin}/mcp`),
    http,
    tokens,
    clock,
    random: chance.unit,
    newId: () => world.nextId(),
    onMessage: async () => undefined,
  });
  const over = new AbortController();
  // `--reauth` in the configuration of one client or another.
  let reauthDue = chance.happens(0.03);
  let lastUse = clock.monotonic();
  const isInUse = () => clock.monotonic() - lastUse < useFades;
  void keepUp({ store, tokens, clock, log, isInUse }, over.signal);
  signIn.takePart();

  const ask = async (asker: Asker): Promise<CallResult> => {
    const cancelled = new AbortController().signal;
    for (let round = 0; round < mostRounds; round++) {
      const id = Number(world.nextId());
      const raw = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'search' } });
      const hands = createHands(clock, bound, cancelled);
      const post = { raw, answerTo: id, resendable: true, hands, onMessage: async () => undefined };
      const delivery = await exchange.send(undefined, post).finally(hands.release);
      if (delivery.kind === 'answered') return { kind: 'answered' };
      if (delivery.kind !== 'challenged') return { kind: 'trouble', code: delivery.kind, link: undefined };
      const { challenge, authorization } = delivery;
      await policy.satisfy({ challenge, authorization }, asker, { cancelled });
    }
    return { kind: 'trouble', code: 'went round in circles', link: undefined };
  };

  const answer = async (asker: Asker): Promise<CallResult> => {
    lastUse = clock.monotonic();
    if (reauthDue) void policy.signInAgain();
    reauthDue = false;
    watch.figures.calls += 1;
    const over = expectAnswer();
    const result = await ask(asker)
      .finally(over)
      .catch((error: unknown): CallResult => {
        if (!(error instanceof BridgeError)) throw error;
        return { kind: 'trouble', code: error.code, link: error.signInUrl };
      });
    if (result.kind === 'answered') watch.figures.answered += 1;
    machine.story.tell(process.name, result.kind === 'answered' ? 'call answered' : `call: ${result.code}`);
    return result;
  };

  /** No call takes longer, in the time in which the process runs; a request that upstream has may (product.md 4). */
  const expectAnswer = (): (() => void) => {
    const stops = process.stops();
    let isOver = false;
    void clock.sleep(longestCall).then(() => {
      const isHeldUp = !isOver && process.stops() === stops && !network.isHolding(process);
      if (isHeldUp) watch.broken(`a call of ${process.name} was not answered within ${longestCall / 1_000} s (P6)`);
    });
    return () => {
      isOver = true;
    };
  };

  const exit = async () => {
    over.abort();
    await connection.close();
    process.exit();
  };
  return {
    ...connection,
    call: () => answer(askers.toolCall),
    connect: () => {
      asking += 1;
      return answer(askers.connectTool).finally(() => {
        void clock.sleep(longestCall).then(() => {
          asking -= 1;
        });
      });
    },
    exit,
  };
}

function tellingLog({ machine }: World, { name }: SimulatedProcess): Log {
  const tell: Log['info'] = (event, fields = {}) => {
    const told = Object.entries(fields).filter((field) => field[1] !== undefined);
    machine.story.tell(name, [event, ...told.map(([key, value]) => `${key}=${value}`)].join(' '));
  };
  return { error: tell, warn: tell, info: tell, debug: tell };
}
