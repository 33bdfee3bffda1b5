import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ReadableStream } from 'node:stream/web';

export interface WebServer {
  /** The URL of its `/mcp`. */
  url: string;
  close(): void;
}

/** Serves a handler of web-standard requests on a free port of this machine. */
export async function openWebServer(handle: (request: Request) => Promise<Response>): Promise<WebServer> {
  const server = createServer(async (incoming, outgoing) => {
    const { method = 'GET', headers } = incoming;
    const body = method === 'POST' ? await buffer(incoming) : null;
    const request = new Request(`http://127.0.0.1${incoming.url}`, {
      method,
      headers: headers as Record<string, string>,
      body,
    });
    const response = await handle(request);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.flushHeaders();
    if (!response.body) return void outgoing.end();
    const stream = Readable.fromWeb(response.body as ReadableStream);
    outgoing.on('close', () => stream.destroy());
    stream.on('error', () => outgoing.destroy());
    stream.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, close };
}
