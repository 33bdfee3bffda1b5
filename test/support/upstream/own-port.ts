/** Below what Linux, macOS and Windows give out when nobody asks for a certain port. */
const first = 20_000;
const ports = 10_000;
/** As many as one file has upstreams: one that is away for a while does not come back to find another in its place. */
const block = 50;

let next = 0;

/**
 * Listens on a port of this process's own, which it may leave and come back to: nobody who takes any free port gets it
 * meanwhile, and answers in its place. @throws Error when all of them are taken
 */
export async function onOwnPort<T>(listen: (port: number) => Promise<T>): Promise<T> {
  const mine = first + (process.pid % (ports / block)) * block;
  for (let tried = 1; ; tried += 1) {
    const port = mine + (next++ % block);
    try {
      return await listen(port);
    } catch (error) {
      if (tried === block || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}
