import type { Connection } from '../../bridge.ts';
import { type ConnectionRecord, isConnected } from '../../credentials/record.ts';
import { rejectionOf } from '../../credentials/refresh-plan.ts';
import { makeContact } from '../../first-contact.ts';
import { oneLine } from '../../log.ts';
import type { Discovery } from '../../oauth/discovery.ts';
import { isSameIssuer } from '../../oauth/discovery.ts';
import type { CommandContext } from '../command.ts';
import { distance, isoTime, readableTime } from '../readable-time.ts';
import { type Facts, factsOf } from '../status-facts.ts';
import { type Finding, failed, fine, type Result, warning } from './examination.ts';
import type { Reached } from './network-checks.ts';

const logIn = 'run `npx -y notion-mcp-bridge login`';
const logInAgain = 'run `npx -y notion-mcp-bridge login --force`';

/** Which client the grant belongs to; what the server can be asked for one, where there is none. */
export function checkRegistration(
  { clock, config }: CommandContext,
  { grant }: ConnectionRecord,
  found: Discovery | 'no sign-in' | undefined,
): Finding {
  const discovery = found === 'no sign-in' ? undefined : found;
  if (!grant) {
    const { registration_endpoint: endpoint } = discovery?.authorizationServer ?? {};
    const { clientId, clientMetadataUrl } = config.preregistered;
    if (!discovery || endpoint !== undefined || clientId !== undefined || clientMetadataUrl !== undefined)
      return fine('none yet; each sign-in makes its own');
    const fix = 'register a client there by hand, and pass `--client-id` and `--callback-port`';
    return failed('the server', `${discovery.authorizationServer.issuer} registers no clients by itself`, fix);
  }
  const { client_id: id, registeredAt, client_secret_expires_at: expiry } = grant.registration as Registration;
  const what = `client ${oneLine(id, 80)}, registered ${distance(isoTime(registeredAt), clock.now())}`;
  if (typeof expiry === 'number' && expiry > 0 && expiry * 1_000 <= clock.now())
    return warning(
      'the grant',
      `${what}; the server said it would end ${distance(isoTime(expiry * 1_000), clock.now())}`,
      `nothing while refreshes work; otherwise ${logInAgain}`,
    );
  if (discovery && !isSameIssuer(discovery.authorizationServer.issuer, grant.issuer))
    return warning('the server', `${what} at ${grant.issuer}, which is not who signs in for it now`, logInAgain);
  return fine(what);
}

type Registration = NonNullable<ConnectionRecord['grant']>['registration'] & { client_secret_expires_at?: unknown };

/** What the record says of the grant; the link of a sign-in that waits is for `status` alone, for it carries a state. */
export function checkSignIn(
  context: CommandContext,
  connection: Connection,
  { record, reached }: { record: ConnectionRecord; reached: Reached | undefined },
): Result<true> {
  const facts = factsOf(record, connection, context);
  if (isConnected(record)) return { finding: aboutGrant(facts, record, context.clock.now()), value: true };
  if (reached && !reached.wantsSignIn) return { finding: fine('none, and the server asks for none'), value: true };
  if (record.pendingSignIn) {
    const since = distance(isoTime(record.pendingSignIn.since), context.clock.now());
    const fix = 'open the link that `npx -y notion-mcp-bridge status` shows, and approve';
    return { finding: failed('the grant', `a sign-in waits for you since ${since}`, fix) };
  }
  const ended = facts.ended === undefined ? '' : ` ${distance(facts.ended, context.clock.now())}`;
  const what = {
    needs_reconnect: `the grant has ended${ended} (${facts.reason})`,
    declined: 'the sign-in was declined in the browser',
    signed_out: 'nobody is signed in',
    connected: 'the record holds no grant',
  }[record.state];
  return { finding: failed('the grant', what, logIn) };
}

function aboutGrant(facts: Facts, { grant }: ConnectionRecord, now: number): Finding {
  const at = (iso: string | undefined) => (iso === undefined ? 'unknown' : readableTime(iso, now));
  const { workspace, signedIn, accessTokenExpires, refreshed, refreshUnderWay: mark } = facts;
  const where = workspace === undefined ? '' : ` to ${oneLine(workspace, 80)}`;
  const what = `connected${where} since ${at(signedIn)}; refreshed ${at(refreshed)}; access token until ${at(accessTokenExpires)}`;
  const rejection = grant && rejectionOf(grant);
  if (rejection)
    return warning('the grant', `${what}; the server rejected the refresh token (${rejection.oauthError})`, logInAgain);
  if (mark?.outcome === 'unknown') {
    const story = `${what}; what became of the refresh of ${at(mark.since)} is unknown`;
    return warning('the server', story, 'nothing: it is asked again when the access token has ended');
  }
  if (grant?.tokens.refresh_token === undefined)
    return warning('the server', `${what}; it issued no refresh token`, `when the access token ends, ${logIn}`);
  return fine(mark ? `${what}; a refresh is under way (pid ${mark.pid})` : what);
}

/**
 * Connects as the next request of a client would, by the one token path: it refreshes when that would, and not otherwise
 * (product.md 6). It opens no tab and registers no client.
 */
export async function checkServer(context: CommandContext, connection: Connection): Promise<Finding> {
  const contact = await makeContact(context, connection);
  if (contact.kind === 'connected') return fine(`${oneLine(contact.serverName, 80)} answered to initialize`);
  const record = await connection.store.load();
  if (record.state === 'needs_reconnect')
    return failed('the grant', `the server has ended the grant (${record.reason})`, logIn);
  if (contact.challenge.error === 'insufficient_scope')
    return failed('the grant', 'the server wants more than was approved (insufficient_scope)', logInAgain);
  if (!isConnected(record)) return failed('the grant', 'the server asks for a sign-in', logIn);
  return failed('the server', 'the server refuses the access tokens that its authorization server issues', logInAgain);
}
