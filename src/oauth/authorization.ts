import * as oauth from 'oauth4webapi';
import type { AuthorizationAttempt, ClientRegistration } from '../credentials/record.ts';
import { ConnectionError } from '../http.ts';
import { clientAuthentication, type OAuthContext, oauthClient, requestOptions } from './client.ts';
import { errorCodeOf, readTokenAnswer } from './token-answer.ts';

/** What one authorization request and its code exchange are about. */
export interface AuthorizationRequest {
  server: oauth.AuthorizationServer;
  registration: ClientRegistration;
  redirectUri: string;
  resource: string;
  scope?: string | undefined;
}

export function newAttempt(): AuthorizationAttempt {
  return { state: oauth.generateRandomState(), codeVerifier: oauth.generateRandomCodeVerifier() };
}

/** The URL for the browser (RFC 6749 section 4.1.1, RFC 7636, RFC 8707). */
export async function authorizationUrl(request: AuthorizationRequest, attempt: AuthorizationAttempt): Promise<URL> {
  const url = new URL(request.server.authorization_endpoint as string);
  const parameters = {
    response_type: 'code',
    client_id: request.registration.client_id,
    redirect_uri: request.redirectUri,
    code_challenge: await oauth.calculatePKCECodeChallenge(attempt.codeVerifier),
    code_challenge_method: 'S256',
    state: attempt.state,
    resource: request.resource,
    ...(request.scope === undefined ? {} : { scope: request.scope }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

export type Callback =
  | { kind: 'code'; parameters: URLSearchParams; code: string }
  | { kind: 'error'; oauthError: string };

/** Checks `state`, `iss` (RFC 9207) and `error` of the redirect. */
export function readCallback(
  request: AuthorizationRequest,
  attempt: AuthorizationAttempt,
  query: URLSearchParams,
): Callback {
  try {
    const parameters = oauth.validateAuthResponse(
      request.server,
      oauthClient(request.registration),
      query,
      attempt.state,
    );
    const code = parameters.get('code');
    return code ? { kind: 'code', parameters, code } : { kind: 'error', oauthError: 'no_code' };
  } catch (error) {
    return {
      kind: 'error',
      oauthError: (error instanceof oauth.AuthorizationResponseError && errorCodeOf(error.error)) || 'invalid_response',
    };
  }
}

/**
 * Redeems an authorization code. Once per code: a second redemption ends the grant (RFC 6749 section 4.1.2).
 * @throws ConnectionError, oauth.ResponseBodyError, oauth.OperationProcessingError
 */
export async function redeemCode(
  request: AuthorizationRequest,
  attempt: AuthorizationAttempt,
  parameters: URLSearchParams,
  context: OAuthContext,
): Promise<oauth.TokenEndpointResponse> {
  const client = oauthClient(request.registration);
  const response = await oauth.authorizationCodeGrantRequest(
    request.server,
    client,
    clientAuthentication(request.registration),
    parameters,
    request.redirectUri,
    attempt.codeVerifier,
    { ...requestOptions(context), additionalParameters: { resource: request.resource } },
  );
  return oauth.processAuthorizationCodeResponse(request.server, client, await readTokenAnswer(response));
}

/** The OAuth error code in a failed exchange, or a word of ours. */
export function exchangeErrorOf(error: unknown): string {
  if (error instanceof oauth.ResponseBodyError) return errorCodeOf(error) ?? 'invalid_response';
  return error instanceof ConnectionError ? 'connection_lost' : 'invalid_response';
}
