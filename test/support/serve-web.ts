import { onTestFinished } from 'vitest';
import { openWebServer } from './web-server.ts';

/** Serves a handler of web-standard requests on a free port until the end of the test; gives the URL of its `/mcp`. */
export async function serveWeb(handle: (request: Request) => Promise<Response>): Promise<string> {
  const { url, close } = await openWebServer(handle);
  onTestFinished(close);
  return url;
}
