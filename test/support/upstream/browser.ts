import { fetchOnce } from './single-request.ts';

/** What a person sees at the end of the redirects. */
export interface FinalPage {
  status: number;
  /** URL of the last page. */
  location: string;
  body: string;
}

export interface PersonOptions {
  /** Approves as this user instead of the upstream's own. */
  user?: string;
}

/** Opens the authorization URL, presses Allow, and follows the redirect to the client's callback. */
export async function approve(url: string, options: PersonOptions = {}): Promise<FinalPage> {
  return follow(await approveUnfollowed(url, options));
}

/** Opens the authorization URL, presses Deny, and follows the redirect. */
export async function deny(url: string): Promise<FinalPage> {
  return follow(await decide(url, 'deny', {}));
}

/** Presses Allow and returns the callback URL, which nobody has opened. */
export async function approveUnfollowed(url: string, options: PersonOptions = {}): Promise<string> {
  return decide(url, 'allow', options);
}

/** Opens a URL as a browser does, redirects included. */
export async function follow(url: string): Promise<FinalPage> {
  let location = url;
  for (let hop = 0; hop < 10; hop += 1) {
    const response = await fetchOnce(onLoopback(location), { redirect: 'manual' });
    const next = response.headers.get('location');
    if (next === null) return { status: response.status, location, body: await response.text() };
    location = new URL(next, location).href;
  }
  throw new Error(`too many redirects from ${url}`);
}

async function decide(url: string, decision: 'allow' | 'deny', { user }: PersonOptions): Promise<string> {
  const page = await follow(url);
  const form = new URLSearchParams({ ...hiddenInputs(page), ...(user ? { user } : {}), decision });
  const answer = await fetchOnce(onLoopback(page.location), { method: 'POST', body: form, redirect: 'manual' });
  const location = answer.headers.get('location');
  if (location === null) throw new Error(`the consent form answered ${answer.status}: ${await answer.text()}`);
  return location;
}

function hiddenInputs({ status, location, body }: FinalPage): Record<string, string> {
  if (!body.includes('name="decision"')) {
    throw new Error(
      `no Allow button at ${location} (${status}): ${body.replace(/<style>.*?<\/style>|<[^>]*>/gs, ' ')}`,
    );
  }
  const inputs = body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  return Object.fromEntries([...inputs].map(([, name, value]) => [name, decodeEntities(value ?? '')]));
}

function decodeEntities(text: string): string {
  return text.replace(/&#(\d+);/g, (_match, code: string) => String.fromCharCode(Number(code)));
}

// Nothing in a test may leave this machine, whatever a redirect says.
function onLoopback(url: string): string {
  const { hostname } = new URL(url);
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    throw new Error(`would leave the machine for ${hostname}`);
  return url;
}
