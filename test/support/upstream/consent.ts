import { callback, type NotionShape, workspaceOf } from './as-notion.ts';
import { consentPage, refusalPage } from './consent-page.ts';
import type { ProviderLibrary } from './worker.ts';

type OAuthHelpers = ReturnType<ProviderLibrary['getOAuthApi']>;
type AuthRequest = Awaited<ReturnType<OAuthHelpers['parseAuthRequest']>>;

export interface ConsentOptions extends NotionShape {
  library: ProviderLibrary;
  user: string;
}

/** Notion's side of the authorization endpoint: GET shows the page, POST of its form decides. */
export async function handleAuthorize(request: Request, api: OAuthHelpers, options: ConsentOptions): Promise<Response> {
  try {
    const authorization = await api.parseAuthRequest(request);
    if (request.method !== 'POST') return showConsent(authorization, api, options);
    const form = await request.formData();
    const location = await decide({ authorization, form, api, options });
    return redirect(callback(location, options));
  } catch (error) {
    return refuse(error, options);
  }
}

async function showConsent(authorization: AuthRequest, api: OAuthHelpers, options: ConsentOptions): Promise<Response> {
  const { clientName, redirectUri } = await api.describeConsent(authorization);
  const { workspace_name } = workspaceOf(options.user);
  return html(200, consentPage({ clientName, redirectUri, user: options.user, workspaceName: workspace_name }));
}

interface Decision {
  authorization: AuthRequest;
  form: FormData;
  api: OAuthHelpers;
  options: ConsentOptions;
}

async function decide({ authorization, form, api, options }: Decision): Promise<string> {
  if (form.get('decision') !== 'allow')
    return options.library.authorizationErrorRedirect(authorization, 'access_denied');
  const userId = String(form.get('user') || options.user);
  const scope = authorization.scope.length > 0 ? authorization.scope : ['default'];
  const props = { userId };
  const metadata = workspaceOf(userId);
  const { redirectTo } = await api.completeAuthorization({ request: authorization, userId, metadata, scope, props });
  return redirectTo;
}

// RFC 6749 section 4.1.2.1: without a valid client and redirect URI the error is shown here and never redirected.
function refuse(error: unknown, options: ConsentOptions): Response {
  if (!(error instanceof options.library.AuthorizationError)) {
    if (error instanceof options.library.CimdFetchError) return html(400, refusalPage('invalid_client', error.message));
    throw error;
  }
  if (error.redirectTo) return redirect(callback(error.redirectTo, options));
  return html(400, refusalPage(error.code, error.description));
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location, 'cache-control': 'no-store' } });
}

function html(status: number, page: string): Response {
  // No form-action in the policy: Chromium applies it to the redirect to the loopback callback, too.
  const policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': policy,
  };
  return new Response(page, { status, headers });
}
