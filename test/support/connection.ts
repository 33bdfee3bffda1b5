import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuthorizationServer } from 'oauth4webapi';
import { onTestFinished } from 'vitest';
import { withNewGrant } from '../../src/credentials/grant.ts';
import { type ConnectionRecord, fingerprint } from '../../src/credentials/record.ts';
import { refreshTimeLimit } from '../../src/credentials/refresh-plan.ts';
import type { Store } from '../../src/credentials/store.ts';
import { createHttp } from '../../src/http.ts';
import { createTokenSource, type TokenSource } from '../../src/token-source.ts';
import { clockInTest, type TestClock } from './clock.ts';
import { collectedLog, folderInTest, openStore } from './store-in-test.ts';
import { upstreamInTest } from './upstream/in-test.ts';
import { signIn } from './upstream/oauth-client.ts';
import type { RequestEntry } from './upstream/request-log.ts';
import type { Upstream, UpstreamOptions } from './upstream/upstream.ts';

/** Somebody is signed in at the real authorization server, and the record says so. */
export interface ConnectionInTest {
  upstream: Upstream;
  clock: TestClock;
  folder: string;
  /** Writes and reads the record as one more process. */
  store: Store;
  clientId: string;
  /** Time passes here and at the server. */
  pass(ms: number): void;
  /** The token source of one more process. */
  source(store?: Store): Source;
  /** The refresh tokens that the server was given, as fingerprints. */
  presented(): string[];
  /** How often the lock was taken and given back so far. */
  locksTaken(): Promise<number>;
  record(): Promise<ConnectionRecord & { grant: NonNullable<ConnectionRecord['grant']> }>;
}

interface Source {
  tokens: TokenSource;
  /** The value of the current access token. */
  current(refused?: string): Promise<string | undefined>;
  /** Asks, and gives up once it waits for something else than the answer: what it says then. */
  trouble(): Promise<{ error: unknown; waits: number | undefined }>;
  lines: string[];
}

export const isRefresh = { endpoint: 'token', grantType: 'refresh_token' } as const;

interface ConnectionOptions extends UpstreamOptions {
  /** Makes the folder of the store special before anything is in it. */
  prepare?: (folder: string) => void;
}

export async function connectionInTest({ prepare, ...options }: ConnectionOptions = {}): Promise<ConnectionInTest> {
  const upstream = await upstreamInTest(options);
  const clock = clockInTest();
  const folder = prepare ? await folderInTest() : join(await folderInTest(), 'store');
  prepare?.(folder);
  const { store } = openStore(folder, upstream.url);
  const { clientId, tokens } = await signIn(upstream.origin);
  const metadata = await fetch(`${upstream.origin}/.well-known/oauth-authorization-server`);
  const prepared = {
    port: 1,
    url: '',
    attempts: [],
    issuer: upstream.origin,
    resource: upstream.url,
    resourceMetadataUrl: upstream.resourceMetadataUrl,
    authorizationServer: (await metadata.json()) as AuthorizationServer,
    registration: { client_id: clientId, registeredAt: clock.now() },
    redirectUri: 'http://127.0.0.1:1/callback',
  };
  const response = { ...tokens, token_type: 'bearer' as const };
  const redeemed = { prepared, requestedScope: 'default', response, sentAt: clock.now() };
  await store.update((record) => withNewGrant(record, redeemed, clock.now()));
  return {
    upstream,
    clock,
    folder,
    store,
    clientId,
    pass: (ms) => {
      upstream.clock.advance(ms);
      clock.advance(ms);
    },
    source: (own = openStore(folder, upstream.url).store) => openSource(own, clock),
    presented: () => upstream.requests.filter(isPresentation).map(({ form }) => fingerprint(form?.refresh_token ?? '')),
    locksTaken: async () => (await readdir(folder)).filter((name) => name.includes('.lock.grave-')).length,
    record: async () => {
      const { grant, ...record } = await store.load();
      if (!grant) throw new Error('the record has no grant');
      return { ...record, grant };
    },
  };
}

function isPresentation({ endpoint, grantType }: RequestEntry): boolean {
  return endpoint === isRefresh.endpoint && grantType === isRefresh.grantType;
}

function openSource(store: Store, clock: TestClock): Source {
  const { log, lines } = collectedLog();
  const tokens = createTokenSource({ store, http: createHttp(clock), clock, log, random: () => 0.5 });
  onTestFinished(() => tokens.settled());
  const current: Source['current'] = async (refused) =>
    (await tokens.current({ refused, signal: new AbortController().signal }))?.value;
  const trouble: Source['trouble'] = async () => {
    const giveUp = new AbortController();
    const error = tokens.current({ signal: giveUp.signal }).then(
      (token) => Promise.reject(new Error(`no trouble: ${token?.fingerprint}`)),
      (reason: unknown) => reason,
    );
    const waits = await clock.untilSleeps((ms) => ms !== refreshTimeLimit, error);
    giveUp.abort();
    return { error: await error, waits };
  };
  return { tokens, current, trouble, lines };
}
