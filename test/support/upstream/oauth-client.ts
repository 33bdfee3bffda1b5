import { createHash, randomBytes } from 'node:crypto';
import { approveUnfollowed, type PersonOptions } from './browser.ts';
import { fetchOnce } from './single-request.ts';

/** The members of a token response that tests look at. */
export interface TokenSet {
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
  scope: string;
  resource: string;
  workspace_id: string;
  workspace_name: string;
}

export interface TokenAnswer {
  status: number;
  tokens: TokenSet;
  error?: string;
}

export interface SignedIn {
  clientId: string;
  redirectUri: string;
  code: string;
  verifier: string;
  tokens: TokenSet;
}

const REDIRECT_URI = 'http://127.0.0.1:1/callback';

/** Registers a public client (RFC 7591) and returns its `client_id`. */
export async function register(origin: string, redirectUri = REDIRECT_URI): Promise<string> {
  const metadata = { client_name: 'By hand', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' };
  const response = await fetchOnce(`${origin}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(metadata),
  });
  return ((await response.json()) as { client_id: string }).client_id;
}

export interface AuthorizationRequest {
  url: string;
  verifier: string;
}

export function authorizationRequest(
  origin: string,
  clientId: string,
  redirectUri = REDIRECT_URI,
): AuthorizationRequest {
  const verifier = randomBytes(32).toString('base64url');
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state: 'by-hand',
    scope: 'default',
    resource: `${origin}/mcp`,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  return { url: `${origin}/authorize?${parameters}`, verifier };
}

export async function tokenRequest(origin: string, form: Record<string, string>): Promise<TokenAnswer> {
  const response = await fetchOnce(`${origin}/token`, { method: 'POST', body: new URLSearchParams(form) });
  const body = (await response.json()) as TokenSet & { error?: string };
  return { status: response.status, tokens: body, ...(body.error ? { error: body.error } : {}) };
}

export function redeem(origin: string, grant: Omit<SignedIn, 'tokens'>): Promise<TokenAnswer> {
  const { clientId, redirectUri, code, verifier } = grant;
  const form = { grant_type: 'authorization_code', client_id: clientId, code, redirect_uri: redirectUri };
  return tokenRequest(origin, { ...form, code_verifier: verifier });
}

export function refresh(origin: string, clientId: string, refreshToken: string): Promise<TokenAnswer> {
  return tokenRequest(origin, { grant_type: 'refresh_token', client_id: clientId, refresh_token: refreshToken });
}

/** The whole flow without a browser or a listener: register (unless a client is given), approve, redeem. */
export async function signIn(origin: string, options: PersonOptions & { clientId?: string } = {}): Promise<SignedIn> {
  const clientId = options.clientId ?? (await register(origin));
  const { url, verifier } = authorizationRequest(origin, clientId);
  const callback = new URL(await approveUnfollowed(url, options));
  const code = callback.searchParams.get('code') ?? '';
  const grant = { clientId, redirectUri: REDIRECT_URI, code, verifier };
  const { status, tokens, error } = await redeem(origin, grant);
  if (status !== 200) throw new Error(`could not redeem the code: ${status} ${error}`);
  return { ...grant, tokens };
}
