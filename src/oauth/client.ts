import * as oauth from 'oauth4webapi';
import type { ClientRegistration } from '../credentials/record.ts';
import type { Http } from '../http.ts';

/** What every token request shares: who we are, and how we reach the server. */
export interface OAuthContext {
  http: Http;
  signal?: AbortSignal | undefined;
}

/** RFC 6749 section 2.3: the method that the registration itself was given (P2). */
export function clientAuthentication(registration: ClientRegistration): oauth.ClientAuth {
  const { client_secret: secret, token_endpoint_auth_method: method } = registration;
  if (secret === undefined || method === 'none') return oauth.None();
  return method === 'client_secret_post' ? oauth.ClientSecretPost(secret) : clientSecretBasic(secret);
}

/**
 * RFC 6749 section 2.3.1, where oauth4webapi's own also escapes `-`, `.`, `_` and `*`, which the form encoding leaves as they
 * are: servers that compare without decoding take the usual ids and secrets for wrong ones then.
 */
function clientSecretBasic(secret: string): oauth.ClientAuth {
  return (_server, { client_id: id }, _body, headers) => {
    headers.set('authorization', `Basic ${btoa(`${formEncode(id)}:${formEncode(secret)}`)}`);
  };
}

function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}

export function oauthClient(registration: ClientRegistration): oauth.Client {
  return { client_id: registration.client_id };
}

/** Options of a request to `url`. Plain http is for loopback only; `Http` refuses it anywhere else (product.md 11). */
export function requestOptions({ http, signal }: OAuthContext) {
  return {
    [oauth.customFetch]: http.fetch,
    [oauth.allowInsecureRequests]: true,
    ...(signal ? { signal } : {}),
  };
}
