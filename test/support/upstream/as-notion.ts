import { createHash } from 'node:crypto';
import type { Grants, LiveGrant } from './grants.ts';

/** Where Notion's answers differ from the library's own: notion-wire.md and notion-metadata.json. */
export interface NotionShape {
  /** `authorization_response_iss_parameter_supported` and `iss` (RFC 9207), which Notion does not have. */
  issParameter: boolean;
  /** What token responses claim as `expires_in`, whatever is true; `null` leaves it out. */
  expiresIn: number | null | undefined;
}

export const RESOURCE_NAME = 'Notion MCP (embedded)';

/** The root form of the RFC 9728 document names the origin; the path form is the library's. */
export function rootResourceMetadata(origin: string): Response {
  return Response.json({
    resource: origin,
    authorization_servers: [origin],
    scopes_supported: ['default'],
    bearer_methods_supported: ['header'],
    resource_name: RESOURCE_NAME,
  });
}

export async function serverMetadata(response: Response, shape: NotionShape): Promise<Response> {
  const metadata = (await response.json()) as Record<string, unknown>;
  if (!shape.issParameter) delete metadata.authorization_response_iss_parameter_supported;
  return Response.json(metadata, { status: response.status });
}

/** Notion's challenge names no scope; the library's does. */
export function challenge(response: Response): Response {
  const header = response.headers.get('www-authenticate');
  if (header === null) return response;
  const headers = new Headers(response.headers);
  headers.set('www-authenticate', header.replace(/, scope="[^"]*"/, ''));
  return new Response(response.body, { status: response.status, headers });
}

export async function tokenResponse(response: Response, grants: Grants, shape: NotionShape): Promise<Response> {
  if (!response.ok) return response;
  const tokens = (await response.json()) as Record<string, unknown>;
  const grant = await grants.of(String(tokens.access_token));
  const body: Record<string, unknown> = { ...tokens, ...(grant?.workspace ?? {}) };
  if (shape.expiresIn !== undefined) body.expires_in = shape.expiresIn;
  if (body.expires_in === null) delete body.expires_in;
  return Response.json(body, { headers: response.headers });
}

export function callback(location: string, shape: NotionShape): string {
  const url = new URL(location);
  if (!shape.issParameter) url.searchParams.delete('iss');
  return url.href;
}

export function workspaceOf(userId: string): LiveGrant['workspace'] {
  const digits = createHash('sha256').update(userId).digest('hex');
  const id = [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`];
  const name = userId.charAt(0).toUpperCase() + userId.slice(1);
  return { workspace_id: [...id, digits.slice(20, 32)].join('-'), workspace_name: `${name}’s workspace` };
}
