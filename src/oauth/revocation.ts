import * as oauth from 'oauth4webapi';
import type { Grant } from '../credentials/record.ts';
import { clientAuthentication, type OAuthContext, oauthClient, requestOptions } from './client.ts';

/**
 * Revokes the grant's refresh token, which ends the grant (RFC 7009). False when the server offers no revocation.
 * @throws ConnectionError, oauth.ResponseBodyError
 */
export async function revoke(grant: Grant, context: OAuthContext): Promise<boolean> {
  const token = grant.tokens.refresh_token ?? grant.tokens.access_token;
  if (grant.authorizationServer.revocation_endpoint === undefined) return false;
  const response = await oauth.revocationRequest(
    grant.authorizationServer,
    oauthClient(grant.registration),
    clientAuthentication(grant.registration),
    token,
    requestOptions(context),
  );
  await oauth.processRevocationResponse(response);
  return true;
}
