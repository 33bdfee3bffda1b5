import type { Connection } from '../../bridge.ts';
import { createRecordFile } from '../../credentials/record-file.ts';
import type { CommandContext } from '../command.ts';
import { type Check, createExamination, type Finding } from './examination.ts';
import { checkRegistration, checkServer, checkSignIn } from './grant-checks.ts';
import { checkBrowser, checkCallbackPort, checkClients, checkRuntime } from './machine-checks.ts';
import { checkClock, checkConnection, checkDiscovery, checkNames, checkProxy } from './network-checks.ts';
import { type Redaction, secretsOf } from './redaction.ts';
import { checkLock, checkLogs, checkRecord, checkStore } from './store-checks.ts';

const connectionLimit = 5_000;
const serverLimit = 8_000;

const only = (finding: Finding) => ({ finding, value: true });

/** All checks, begun, in the order in which they are told. */
export function examine(context: CommandContext, connection: Connection): Check<unknown>[] {
  const check = createExamination(context.clock);
  const here = { needs: [] as const, blames: 'this machine' } as const;

  const runtime = check({ ...here, name: 'runtime', run: () => only(checkRuntime(context)) });
  const store = check({ ...here, name: 'store', run: () => only(checkStore(context, connection)) });
  const record = check({ ...here, name: 'record', run: () => checkRecord(connection) });
  const lock = check({ ...here, name: 'lock', run: async () => only(await checkLock(context, connection)) });

  const proxy = check({ ...here, name: 'proxy', run: () => checkProxy(context, connection) });
  const dns = check({ ...here, name: 'dns', needs: [proxy], run: ([route]) => checkNames(route) });
  const reached = check({
    name: 'connection',
    needs: [dns],
    blames: 'this machine',
    limit: connectionLimit,
    run: ([{ proxy }], signal) => checkConnection(context, connection, { proxy, signal }),
  });
  const clock = check({ ...here, name: 'clock', needs: [reached], run: ([answer]) => only(checkClock(answer)) });
  const discovery = check({
    name: 'discovery',
    needs: [reached],
    blames: 'the server',
    run: ([answer], signal) => checkDiscovery(context, connection, { ...answer, signal }),
  });

  const registration = check({
    name: 'registration',
    needs: [record],
    blames: 'the grant',
    limit: connectionLimit + serverLimit,
    run: async ([stored]) => only(checkRegistration(context, stored, await discovery.value)),
  });
  const signIn = check({
    name: 'sign-in',
    needs: [record],
    blames: 'the grant',
    limit: connectionLimit + serverLimit,
    run: async ([stored]) => checkSignIn(context, connection, { record: stored, reached: await reached.value }),
  });
  const server = check({
    name: 'server',
    needs: [reached, signIn],
    blames: 'the server',
    limit: serverLimit,
    run: async () => only(await checkServer(context, connection)),
  });

  const port = check({
    ...here,
    name: 'callback port',
    run: async () => only(await checkCallbackPort(context, connection, await record.value)),
  });
  const browser = check({ ...here, name: 'browser', run: () => only(checkBrowser(context)) });
  const clients = check({ ...here, name: 'clients', run: () => only(checkClients(context)) });
  const logs = check({ ...here, name: 'logs', run: () => only(checkLogs(context)) });

  const machine = [runtime, store, record, lock, clock];
  return [...machine, proxy, dns, reached, discovery, registration, signIn, server, port, browser, clients, logs];
}

/** What is known to be secret by now: a refresh of our own may have brought new tokens meanwhile. */
export function noteSecrets(redaction: Redaction, { config }: CommandContext, { store, http }: Connection): void {
  const { upstreamUrl, preregistered } = config;
  const proxy = http.proxyOf(upstreamUrl);
  const { username, password } = URL.canParse(proxy) ? new URL(proxy) : { username: '', password: '' };
  redaction.add(preregistered.clientSecret, upstreamUrl.search, username, password);
  try {
    const found = createRecordFile(store.path).read();
    if (found.kind === 'record') redaction.add(...secretsOf(found.record));
  } catch {
    // Nothing of it can be told, then.
  }
}
