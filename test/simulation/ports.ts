import { BridgeError } from '../../src/errors.ts';
import { type LoopbackPorts, redirectUriOf } from '../../src/oauth/loopback.ts';
import type { SimulatedProcess } from './process.ts';
import type { World } from './world.ts';

const probePatience = 2_000;

/** The machine's loopback ports as one process uses them. */
export function openPorts({ machine, chance }: World, process: SimulatedProcess): LoopbackPorts {
  const { ports } = machine;
  const free = () => {
    let port = 40_000 + Math.floor(chance.between(0, 20_000));
    while (ports.has(port)) port += 1;
    return port;
  };
  return {
    listen: (options) =>
      process.later(chance.between(0.2, 2), 'a port is bound', () => {
        const port = options.port === 0 ? free() : options.port;
        if (ports.has(port)) throw new BridgeError('CONFIG_INVALID', `callback port ${port} is taken`);
        const listener = { process, options };
        ports.set(port, listener);
        const close = () => {
          if (ports.get(port) === listener) ports.delete(port);
        };
        return { port, redirectUri: redirectUriOf(port), shown: async () => undefined, close };
      }),
    isListening: async (port, id) => {
      const listener = ports.get(port);
      if (!listener) return false;
      if (listener.process.isRunning()) return listener.options.id === id;
      // A process that stands still holds its port, and does not answer.
      await process.clock.sleep(probePatience);
      return false;
    },
  };
}
