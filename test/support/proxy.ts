import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** An HTTP proxy as companies have them: CONNECT only, with a password, and it alone knows where `upstream.test` is. */
export interface Proxy {
  /** For HTTPS_PROXY. */
  url: string;
  /** What it was asked to connect to. */
  asked: string[];
}

export async function proxyInTest(portOfUpstream: number): Promise<Proxy> {
  const asked: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((_request, response) => void response.writeHead(400).end());
  server.on('connect', (request, socket: Socket) => {
    asked.push(request.url ?? '');
    open.add(socket);
    const allowed = request.headers['proxy-authorization'] === `Basic ${Buffer.from('ada:secret').toString('base64')}`;
    if (!allowed) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n');
    const upstream = connect(portOfUpstream, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    for (const end of [socket, upstream]) end.on('error', () => undefined);
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { url: `http://ada:secret@127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
