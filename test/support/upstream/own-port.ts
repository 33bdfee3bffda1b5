import { createServer } from 'node:net';

/** Below what Linux, macOS and Windows give out when nobody asks for a certain port. */
const first = 20_000;
const block = 50;
const blocks = 200;

let mine: Promise<number> | undefined;
let next = 0;

/**
 * Listens on a port of this process's own, which it may leave and come back to: nobody who takes any free port gets it
 * meanwhile, and answers in its place. @throws Error when all of them are taken
 */
export async function onOwnPort<T>(listen: (port: number) => Promise<T>): Promise<T> {
  mine ??= claimBlock();
  const base = await mine;
  for (let tried = 2; ; tried += 1) {
    const port = base + 1 + (next++ % (block - 1));
    try {
      return await listen(port);
    } catch (error) {
      if (tried === block || !isTaken(error)) throw error;
    }
  }
}

/** The block of whoever listens on its first port, for as long as this process lives. */
async function claimBlock(): Promise<number> {
  for (let tried = 1; ; tried += 1) {
    const base = first + ((process.pid + tried) % blocks) * block;
    try {
      const guard = createServer((socket) => void socket.destroy());
      await new Promise<void>((resolve, reject) => guard.once('error', reject).listen(base, '127.0.0.1', resolve));
      guard.unref();
      return base;
    } catch (error) {
      if (tried === blocks || !isTaken(error)) throw error;
    }
  }
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
}
