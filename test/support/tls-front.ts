import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';

// Self-signed and good for a century: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
//   -days 36500 -subj "/CN=only for tests" -addext "subjectAltName=DNS:localhost,DNS:upstream.test,IP:127.0.0.1"
const file = (name: string) => new URL(`certificates/${name}.pem`, import.meta.url).pathname;

/** For NODE_EXTRA_CA_CERTS. */
export const certificateAuthority = file('certificate');

/** TLS in front of a server of ours, since in production there is nothing else. */
export interface TlsFront {
  port: number;
  /** Connections that came, with or without a handshake. */
  connections: number;
  /** Ends this many connections that come next before their handshake. */
  refuse(count: number): void;
  /** Ends what is open, and resolves once the other side has noticed. */
  end(): Promise<void>;
}

export async function tlsFrontInTest(upstreamUrl: string): Promise<TlsFront> {
  const port = Number(new URL(upstreamUrl).port);
  const open = new Set<Socket>();
  let refusals = 0;
  const tls = createTlsServer({ key: readFileSync(file('key')), cert: readFileSync(file('certificate')) }, (secure) => {
    const plain = connect(port, '127.0.0.1');
    for (const end of [secure, plain]) end.on('error', () => undefined);
    secure.pipe(plain).pipe(secure);
    plain.on('close', () => secure.destroy());
    secure.on('close', () => plain.destroy());
  });
  const server = createServer((socket) => {
    front.connections += 1;
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    if (refusals-- > 0) socket.destroy();
    else tls.emit('connection', socket);
  });
  const front: TlsFront = {
    port: await listen(server),
    connections: 0,
    refuse: (count) => {
      refusals = count;
    },
    end: async () => {
      const closed = [...open].map((socket) => once(socket, 'close'));
      for (const socket of open) socket.end();
      await Promise.all(closed);
    },
  };
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return front;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
