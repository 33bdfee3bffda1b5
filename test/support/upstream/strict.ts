import type { Grants } from './grants.ts';
import { fingerprint, type RequestEntry } from './request-log.ts';

type Handle = () => Promise<Response>;

/** Stands in front of the library's token endpoint. */
export type TokenGuard = (entry: RequestEntry, handle: Handle) => Promise<Response>;

export const lenient: TokenGuard = (_entry, handle) => handle();

/**
 * What live Notion is reported to do (notion-wire.md): a rotated refresh token that is presented again revokes its
 * grant, and each refresh ends the grant's earlier access tokens.
 */
export function createStrictGuard(grants: Grants): TokenGuard {
  const rotated = new Set<string>();
  return async (entry, handle) => {
    const presented = entry.form?.grant_type === 'refresh_token' ? (entry.form.refresh_token ?? '') : '';
    const grant = await grants.of(presented);
    if (!grant) return handle();
    const earlier = grants.accessTokens(grant);
    const response = await handle();
    // The library has checked the client by now; a stranger's request must not end the grant (notion-wire.md).
    const own = grant.clientId === entry.clientId && response.status !== 401;
    // Asking and marking happen in one turn of the event loop, so of two racers exactly one rotates.
    if (own && rotated.has(fingerprint(presented))) {
      await grants.revoke(grant);
      return superseded();
    }
    if (!response.ok) return response;
    rotated.add(fingerprint(presented));
    await grants.endAccessTokens(earlier);
    return response;
  };
}

// RFC 6749 section 5.2
function superseded(): Response {
  const body = { error: 'invalid_grant', error_description: 'Refresh token was used before; the grant is revoked' };
  return Response.json(body, { status: 400, headers: { 'cache-control': 'no-store' } });
}
