import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Connection } from '../../bridge.ts';
import { describe, errnoOf } from '../../errors.ts';
import { ConnectionError, type HttpResponse } from '../../http.ts';
import { oneLine } from '../../log.ts';
import { type Challenge, type Discovery, discover, parseChallenge } from '../../oauth/discovery.ts';
import type { CommandContext } from '../command.ts';
import { duration } from '../readable-time.ts';
import { type Finding, failed, fine, type Result, warning } from './examination.ts';

/** Where the connection goes first: to the server, or to the proxy in front of it. */
export interface Route {
  host: string;
  proxy: URL | undefined;
}

/** What the server answered to a question without a token. */
export interface Reached {
  challenge: Challenge;
  /** It answered 401: it wants a sign-in. */
  wantsSignIn: boolean;
  /** How far this machine's clock is ahead of the server's, ms, if the server told. */
  ahead: number | undefined;
}

/** The proxy's password is in its URL, so only its address is told. */
export function checkProxy({ config }: CommandContext, { http }: Connection): Result<Route> {
  const { upstreamUrl } = config;
  const given = http.proxyOf(upstreamUrl);
  if (given === '') return { finding: fine('none'), value: { host: bareHost(upstreamUrl), proxy: undefined } };
  const names = 'HTTPS_PROXY, ALL_PROXY and NO_PROXY';
  if (!URL.canParse(given))
    return { finding: failed('this machine', 'the environment names a proxy that is not a URL', `check ${names}`) };
  const proxy = new URL(given);
  const what = `${proxy.protocol}//${proxy.host}, for ${upstreamUrl.host}; desktop apps do not pass ${names} on`;
  return { finding: fine(what), value: { host: bareHost(proxy), proxy } };
}

function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

export async function checkNames({ host, proxy }: Route): Promise<Result<Route>> {
  const value = { host, proxy };
  if (isIP(host)) return { finding: fine(`${host} is an address`), value };
  try {
    const addresses = await lookup(host, { all: true });
    return { finding: fine(`${host} is ${addresses.map(({ address }) => address).join(', ')}`), value };
  } catch (error) {
    const what = `could not find the address of ${host} (${errnoOf(error) ?? describe(error)})`;
    const fix = proxy ? 'check the proxy in the environment' : 'check the network, and that `--url` is spelt right';
    return { finding: failed('this machine', what, fix) };
  }
}

/** One question without a token, the way that every request goes: proxy, TLS, and any HTTP answer at all. */
export async function checkConnection(
  { config, clock }: CommandContext,
  { http }: Connection,
  { proxy, signal }: { proxy: URL | undefined; signal: AbortSignal },
): Promise<Result<Reached>> {
  const { upstreamUrl } = config;
  const began = clock.now();
  try {
    const response = await http.request(upstreamUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 'doctor', method: 'ping' }),
      connection: 'new',
      signal,
    });
    const took = clock.now() - began;
    const security = upstreamUrl.protocol === 'https:' ? securityOf(response) : 'without TLS, on this machine';
    response.body.destroy();
    const { status } = response;
    if (security === undefined) return { finding: refusedByProxy(status) };
    const value = {
      challenge: parseChallenge(response.header('www-authenticate')),
      wantsSignIn: status === 401,
      ahead: aheadOf(response.header('date'), began + took / 2),
    };
    const what = `${upstreamUrl.host} answered (status ${status}) after ${took} ms, ${security}`;
    if (status < 500) return { finding: fine(what), value };
    return { finding: failed('the server', what, 'wait a little, then try again; nothing was lost') };
  } catch (error) {
    return { finding: unreached(error, { host: upstreamUrl.host, proxy, isLate: signal.aborted }) };
  }
}

/** Undefined when it is not the server that answered: a proxy's refusal comes without TLS. */
function securityOf({ body }: HttpResponse): string | undefined {
  const socket = body.socket as Partial<TLSSocket>;
  if (!socket.encrypted) return undefined;
  const { issuer } = socket.getPeerCertificate?.() ?? {};
  const by = issuer?.O ?? issuer?.CN;
  return `${socket.getProtocol?.()}${by === undefined ? '' : `, certificate by ${oneLine(String(by), 60)}`}`;
}

function refusedByProxy(status: number): Finding {
  const why = status === 407 ? 'wants another user name or password' : 'does not connect';
  return failed('this machine', `the proxy ${why} (status ${status})`, 'check the proxy in the environment');
}

interface Attempt {
  host: string;
  proxy: URL | undefined;
  isLate: boolean;
}

/** The certificate is the server's own trouble, whoever looks at it. */
const serverCertificate = /^(CERT_HAS_EXPIRED|ERR_TLS_CERT_ALTNAME_INVALID)$/;

function unreached(error: unknown, { host, proxy, isLate }: Attempt): Finding {
  const isSent = error instanceof ConnectionError && error.sent;
  const code = error instanceof ConnectionError ? errnoOf(error.cause) : undefined;
  if (isLate && isSent)
    return failed('the server', `${host} took the connection and gives no answer`, 'wait a little, then try again');
  if (isLate)
    return failed('this machine', `no connection to ${host} in time`, 'check the network, and any firewall or proxy');
  const why = `(${oneLine(describe(error))})`;
  if (error instanceof ConnectionError && error.isUntrusted) {
    const what = `the certificate of ${host} is not to be trusted ${why}`;
    if (serverCertificate.test(code ?? ''))
      return failed('the server', what, "check this machine's clock; if it is right, wait for the server");
    const fix = 'behind a network that inspects traffic, set NODE_EXTRA_CA_CERTS to the file of its authority';
    return failed('this machine', what, `${fix}; otherwise do not trust this network`);
  }
  if (proxy) return failed('this machine', `could not connect through ${proxy.host} ${why}`, 'check that proxy');
  if (code === 'ECONNREFUSED')
    return failed('the server', `nothing listens at ${host} ${why}`, 'check `--url`, or wait until the server is back');
  const fault = isSent ? 'the server' : 'this machine';
  return failed(fault, `could not reach ${host} ${why}`, 'check the network, then try again');
}

/** The header has no more than seconds. */
function aheadOf(date: string | undefined, now: number): number | undefined {
  const server = Date.parse(date ?? '');
  return Number.isNaN(server) ? undefined : now - (server + 500);
}

/** From here on what is printed about times is of no use. */
const noticeable = 60_000;
/** From here on certificates may count as not valid yet, or any more. */
const harmful = 3_600_000;

export function checkClock({ ahead }: Reached): Finding {
  if (ahead === undefined) return fine('the server does not tell the time');
  const off = Math.abs(ahead);
  if (off < noticeable) return fine("agrees with the server's");
  const what = `${duration(off)} ${ahead > 0 ? 'ahead of' : 'behind'} the server's`;
  const fix = 'let the system set the time by itself; sign-ins and refreshes do not depend on it';
  return off < harmful
    ? warning('this machine', what, fix)
    : failed('this machine', what, 'set the clock, or let the system set it; certificates depend on it');
}

/** RFC 9728 and RFC 8414, as a sign-in would do it. */
export async function checkDiscovery(
  { config }: CommandContext,
  { http }: Connection,
  { challenge, wantsSignIn, signal }: Reached & { signal: AbortSignal },
): Promise<Result<Discovery | 'no sign-in'>> {
  if (!wantsSignIn) return { finding: fine('the server asks for no sign-in'), value: 'no sign-in' };
  const value = await discover(config.upstreamUrl, challenge, { http, signal });
  return { finding: fine(`${value.authorizationServer.issuer} signs in for ${value.resource}`), value };
}
