import * as oauth from 'oauth4webapi';

/** No server means longer, and a later time than this is no date any more. */
const longestLifetime = 10 * 365 * 24 * 3_600;

/**
 * A token answer as oauth4webapi takes it. What it takes offence at, a rotation has still happened for: a successful
 * answer is not thrown away because of a member that we do not need (P4).
 */
export async function readTokenAnswer(response: Response): Promise<Response> {
  const { status, headers } = response;
  const body = await response.text();
  const answer = status === 200 ? parseAnswer(body) : undefined;
  return answer ? Response.json(repaired(answer), { status }) : new Response(body, { status, headers });
}

type Answer = Record<string, unknown>;

function parseAnswer(body: string): Answer | undefined {
  try {
    const json: unknown = JSON.parse(body);
    const hasToken = typeof json === 'object' && json !== null && isText((json as Answer).access_token);
    return hasToken ? (json as Answer) : undefined;
  } catch {
    return undefined;
  }
}

/** The ID token is left out, too: nobody here asks who the person is, and a clock that is wrong would make it invalid. */
function repaired({ token_type, expires_in, refresh_token, scope, id_token: _idToken, ...rest }: Answer): Answer {
  const lifetime = isText(expires_in) ? Number(expires_in) : expires_in;
  return {
    ...rest,
    token_type: isText(token_type) ? token_type : 'bearer',
    ...(typeof lifetime === 'number' && lifetime > 0 ? { expires_in: Math.min(lifetime, longestLifetime) } : {}),
    ...(isText(refresh_token) ? { refresh_token } : {}),
    ...(isText(scope) ? { scope } : {}),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** An error code of the server as it may be shown and logged: never a sentence, which could quote a token (P10). */
export function errorCodeOf(error: unknown): string | undefined {
  const code = error instanceof oauth.ResponseBodyError ? error.error : error;
  if (typeof code !== 'string' || code === '') return undefined;
  return /^[\w.-]{1,60}$/.test(code) ? code : 'unreadable_error';
}
