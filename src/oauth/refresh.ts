import * as oauth from 'oauth4webapi';
import type { Grant } from '../credentials/record.ts';
import { describe } from '../errors.ts';
import { ConnectionError } from '../http.ts';
import { clientAuthentication, type OAuthContext, oauthClient, requestOptions } from './client.ts';
import { errorCodeOf, readTokenAnswer } from './token-answer.ts';

/** The five classes of answers (product.md 6.5). Only `rejected` changes what is known about the token. */
export type RefreshOutcome =
  | { kind: 'renewed'; response: oauth.TokenEndpointResponse }
  | { kind: 'rejected'; oauthError: string }
  | { kind: 'refused-for-now'; oauthError: string; retryAfter: number | undefined }
  | { kind: 'not-sent'; why: string }
  | { kind: 'unknown'; why: string };

const rejections = new Set(['invalid_grant', 'invalid_client', 'unauthorized_client']);

/** Presents `refreshToken` with the grant's own client, at the grant's own issuer (P2). Never throws: an exception is an outcome. */
export async function requestRefresh(
  grant: Grant,
  refreshToken: string,
  context: OAuthContext,
): Promise<RefreshOutcome> {
  const client = oauthClient(grant.registration);
  let response: Response;
  try {
    response = await oauth.refreshTokenGrantRequest(
      grant.authorizationServer,
      client,
      clientAuthentication(grant.registration),
      refreshToken,
      { ...requestOptions(context), additionalParameters: { resource: grant.resource } },
    );
  } catch (error) {
    const sent = !(error instanceof ConnectionError) || error.sent;
    return { kind: sent ? 'unknown' : 'not-sent', why: describe(error) };
  }
  return classify(grant, client, response);
}

async function classify(grant: Grant, client: oauth.Client, response: Response): Promise<RefreshOutcome> {
  if (response.status === 200) return processSuccess(grant, client, response);
  const json = parseObject(await response.text());
  const oauthError = errorCodeOf(json?.error);
  const retryAfter = parseRetryAfter(response.headers.get('retry-after'));
  if (response.status === 429 || oauthError === 'temporarily_unavailable') {
    return { kind: 'refused-for-now', oauthError: oauthError ?? 'rate_limited', retryAfter };
  }
  if (response.status < 400 || response.status >= 500 || json === undefined) {
    return { kind: 'unknown', why: `status ${response.status}` };
  }
  if (oauthError !== undefined && rejections.has(oauthError)) return { kind: 'rejected', oauthError };
  return { kind: 'refused-for-now', oauthError: oauthError ?? `status ${response.status}`, retryAfter };
}

async function processSuccess(grant: Grant, client: oauth.Client, response: Response): Promise<RefreshOutcome> {
  try {
    const answer = await readTokenAnswer(response);
    return {
      kind: 'renewed',
      response: await oauth.processRefreshTokenResponse(grant.authorizationServer, client, answer),
    };
  } catch (error) {
    return { kind: 'unknown', why: describe(error) };
  }
}

function parseObject(body: string): { error?: unknown } | undefined {
  try {
    const json: unknown = JSON.parse(body);
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}

/** `Retry-After` in ms (RFC 9110 section 10.2.3), given in seconds or as a date. */
export function parseRetryAfter(header: string | null | undefined, now = Date.now): number | undefined {
  if (header === null || header === undefined) return undefined;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
