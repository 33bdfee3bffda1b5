import { onTestFinished } from 'vitest';
import type { ConnectionRecord } from '../../src/credentials/record.ts';
import { createHttp } from '../../src/http.ts';
import type { Delivery } from '../../src/mcp/exchange.ts';
import { createHands } from '../../src/mcp/hands.ts';
import { createUpstream, type Upstream } from '../../src/mcp/upstream.ts';
import { createTokenSource } from '../../src/token-source.ts';
import { clockInTest, type TestClock } from './clock.ts';
import { connectedRecord, hour } from './records.ts';
import { type Others, type Script, type ScriptedUpstream, scriptedUpstream } from './scripted-upstream.ts';
import { collectedLog, folderInTest, openStore } from './store-in-test.ts';

export interface Calling {
  server: ScriptedUpstream;
  clock: TestClock;
  /** What comes of the call. */
  delivery: Promise<Delivery>;
  /** The server says nothing for 30 s, and then not even that it is there. */
  dies(nth?: number): Promise<void>;
  /** The client gives the call up. */
  cancel(): void;
}

interface Special {
  /** Where upstream is said to be. */
  at?: string;
  accessToken?: string;
  /** What is no POST. */
  other?: Others;
  /** The client takes a message. */
  onMessage?: (raw: string) => Promise<void>;
  onSession?: () => void;
  random?: () => number;
}

export const isCall = ({ json }: { json: { method?: string } }) => json.method === 'tools/call';
export const isPing = ({ json }: { json: { method?: string } }) => json.method === 'ping';

/** Upstream, with time in the hands of the test. */
export async function upstreamAt(url: string, clock: TestClock, special: Special = {}): Promise<Upstream> {
  const { accessToken, onMessage = async () => undefined, onSession = () => undefined, random = () => 1 } = special;
  const { log } = collectedLog();
  const http = createHttp(clock);
  const { store } = openStore(await folderInTest(), url, clock);
  if (accessToken !== undefined) await store.update(() => signedIn(url, accessToken, clock.now()));
  const upstream = createUpstream({
    url: new URL(url),
    http,
    tokens: createTokenSource({ store, http, clock, log, random }),
    clock,
    log,
    random,
    hello: () => ({}),
    onMessage: ({ raw }) => onMessage(raw),
    onSession,
    onSessionEnd: () => undefined,
  });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** A session, and one call in it, at a server whose silence the test decides. */
export async function calling(resendable: boolean, script: Script, special: Special = {}): Promise<Calling> {
  const server = await scriptedUpstream(script, special.other);
  const clock = clockInTest();
  const upstream = await upstreamAt(special.at ?? server.url, clock, special);
  const cancelled = new AbortController();
  const hands = createHands(clock, 30_000, cancelled.signal);
  const raw = JSON.stringify({ jsonrpc: '2.0', id: 'call', method: 'tools/call', params: { name: 'any' } });
  const delivery = upstream.deliver({ raw, answerTo: 'call', resendable, hands }).finally(hands.release);
  const dies = async (nth = 1) => {
    await server.waitFor(isCall, nth);
    clock.advance(30_000);
    await server.waitFor(isPing, nth);
    clock.advance(10_000);
  };
  return { server, clock, delivery, dies, cancel: () => cancelled.abort() };
}

function signedIn(resource: string, access_token: string, now: number): ConnectionRecord {
  const lifetime = { issuedAt: now, expiresAt: now + hour };
  return { ...connectedRecord({ resource }, { access_token, ...lifetime }), upstreamUrl: resource };
}
