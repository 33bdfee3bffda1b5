import * as oauth from 'oauth4webapi';
import type { ClientRegistration } from '../credentials/record.ts';
import { BridgeError, describe } from '../errors.ts';
import { ConnectionError } from '../http.ts';
import { type OAuthContext, requestOptions } from './client.ts';

/** A client that the user brings along instead of dynamic registration. */
export interface PreregisteredClient {
  clientId?: string | undefined;
  clientSecret?: string | undefined;
  /** The URL of a Client ID Metadata Document, used where the server supports it. */
  clientMetadataUrl?: string | undefined;
}

export interface RegistrationRequest {
  server: oauth.AuthorizationServer;
  redirectUri: string;
  scope?: string | undefined;
  preregistered: PreregisteredClient;
  now: number;
}

/**
 * A client for exactly this redirect URI (product.md 7): every sign-in has a registration of its own (RFC 7591).
 * @throws BridgeError AUTHORIZATION_SERVER_UNREACHABLE, AUTHORIZATION_SERVER_MISBEHAVED
 */
export async function obtainClient(request: RegistrationRequest, context: OAuthContext): Promise<ClientRegistration> {
  const { server, preregistered, now } = request;
  const { clientId, clientSecret, clientMetadataUrl } = preregistered;
  if (clientId !== undefined) {
    const method = authenticationMethod(server, clientSecret !== undefined);
    const secret = clientSecret === undefined ? {} : { client_secret: clientSecret };
    return { client_id: clientId, ...secret, token_endpoint_auth_method: method, registeredAt: now };
  }
  if (clientMetadataUrl !== undefined && server.client_id_metadata_document_supported === true) {
    return { client_id: clientMetadataUrl, token_endpoint_auth_method: 'none', registeredAt: now };
  }
  return register(request, context);
}

async function register(
  { server, redirectUri, scope, now }: RegistrationRequest,
  context: OAuthContext,
): Promise<ClientRegistration> {
  if (server.registration_endpoint === undefined) {
    throw new BridgeError('AUTHORIZATION_SERVER_MISBEHAVED', `${server.issuer} offers no dynamic client registration`, {
      hint: 'register a client there by hand, and pass `--client-id` and `--callback-port`',
    });
  }
  const metadata = {
    client_name: 'Notion MCP Bridge',
    client_uri: 'https://www.npmjs.com/package/notion-mcp-bridge',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: 'native',
    token_endpoint_auth_method: authenticationMethod(server, false),
    ...(scope === undefined ? {} : { scope }),
  };
  try {
    const response = await oauth.dynamicClientRegistrationRequest(server, metadata, requestOptions(context));
    const answer = await readRegistrationAnswer(server, response);
    const client = await oauth.processDynamicClientRegistrationResponse(answer);
    return { ...(client as Omit<ClientRegistration, 'registeredAt'>), registeredAt: now };
  } catch (error) {
    throw registrationError(server, error);
  }
}

/**
 * A registration answer as oauth4webapi takes it. Servers leave out what RFC 7591 section 3.2.1 wants: when the secret
 * expires (then never), and which method was registered (then what the server supports, with the secret that it issued);
 * some answer 200 for 201.
 */
async function readRegistrationAnswer(server: oauth.AuthorizationServer, response: Response): Promise<Response> {
  const { status, headers } = response;
  const body = await response.text();
  const client = status === 200 || status === 201 ? parseClient(body) : undefined;
  if (!client) return new Response(body, { status, headers });
  const {
    client_secret: secret,
    client_secret_expires_at: expiry,
    token_endpoint_auth_method: method,
    ...rest
  } = client;
  const repaired = {
    ...rest,
    ...(isText(secret)
      ? { client_secret: secret, client_secret_expires_at: typeof expiry === 'number' ? expiry : 0 }
      : {}),
    token_endpoint_auth_method: isText(method) ? method : authenticationMethod(server, isText(secret)),
  };
  return Response.json(repaired, { status: 201 });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function parseClient(body: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(body);
    return typeof json === 'object' && json !== null && 'client_id' in json ? { ...json } : undefined;
  } catch {
    return undefined;
  }
}

/** A public client where allowed (RFC 8252 section 8.4), else with a secret. */
function authenticationMethod(server: oauth.AuthorizationServer, hasSecret: boolean): string {
  // RFC 8414 section 2: absent means client_secret_basic.
  const supported = server.token_endpoint_auth_methods_supported ?? (hasSecret ? ['client_secret_basic'] : ['none']);
  const wanted = hasSecret
    ? ['client_secret_basic', 'client_secret_post', 'none']
    : ['none', 'client_secret_basic', 'client_secret_post'];
  return wanted.find((method) => supported.includes(method)) ?? (hasSecret ? 'client_secret_basic' : 'none');
}

function registrationError(server: oauth.AuthorizationServer, error: unknown): BridgeError {
  if (error instanceof ConnectionError) {
    return new BridgeError(
      'AUTHORIZATION_SERVER_UNREACHABLE',
      `could not reach ${server.issuer} to register a client (${describe(error)})`,
      {
        cause: error,
      },
    );
  }
  const code = error instanceof oauth.ResponseBodyError ? error.error : describe(error);
  return new BridgeError('AUTHORIZATION_SERVER_MISBEHAVED', `${server.issuer} refused to register a client (${code})`, {
    cause: error,
  });
}
