import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import {
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
} from '@modelcontextprotocol/server';
import { builtBridge, openHome, strippedEnvironment } from '../support/spawn-client.ts';
import { openWebServer, type WebServer } from '../support/web-server.ts';
import { createRequestFront } from './request-front.ts';
import { createSessionFront } from './session-front.ts';
import { bridgeArguments } from './wire.ts';

/** Streamable HTTP of one era on this side of bridges. */
export interface Front {
  handle(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** Streamable HTTP in, the built bridge over stdio out: how a runner that knows HTTP only gets to it. */
export async function openFront(upstreamUrl: string, revision: string): Promise<WebServer> {
  const home = await openHome('ignores');
  const spawn = () =>
    new StdioClientTransport({
      command: process.execPath,
      args: [builtBridge, '--url', upstreamUrl, ...bridgeArguments(revision)],
      env: strippedEnvironment(home),
      cwd: '/',
      stderr: 'ignore',
    });
  // Revisions are dates: from this one on there are no sessions.
  const front = revision < '2026-07-28' ? createSessionFront(spawn) : await createRequestFront(spawn());
  const server = await openWebServer(
    async (request) =>
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, localhostAllowedOrigins()) ??
      front.handle(request),
  );
  const close = async () => {
    await front.close();
    server.close();
    await home.remove();
  };
  return { url: server.url, close: () => void close() };
}
