import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

export interface SettledCrypto {
  /** Resolves once no operation is under way and nothing waits to be run. */
  settled(): Promise<void>;
  uninstall(): void;
}

type Operation = (...values: unknown[]) => Promise<unknown>;

/**
 * Web Crypto works in threads, whose results come in any order, and draws its own random numbers: the only two ways in
 * which a run could differ from its replay. Here the operations are the real ones, their results come in the order in
 * which they were asked for, and random bytes come from the seed.
 */
export function installSettledCrypto(bytes: (view: Uint8Array) => void): SettledCrypto {
  const real = globalThis.crypto;
  let underWay = 0;
  let tail: Promise<unknown> = Promise.resolve();

  const inOrder = (operation: Promise<unknown>) => {
    underWay += 1;
    const result = tail.then(() => operation);
    const over = () => {
      underWay -= 1;
    };
    operation.catch(() => undefined);
    result.then(over, over);
    tail = result.then(
      () => setImmediate(),
      () => setImmediate(),
    );
    return result;
  };

  // Most of what is asked for, and no work for a thread.
  const digest = async (algorithm: string, data: Uint8Array) => {
    if (algorithm !== 'SHA-256') throw new Error(`could not digest with ${algorithm}`);
    return new Uint8Array(createHash('sha256').update(data).digest()).buffer;
  };

  const subtle = new Proxy(real.subtle, {
    get: (target, name) => {
      if (name === 'digest') return digest;
      const operation = Reflect.get(target, name) as Operation;
      return (...values: unknown[]) => inOrder(operation.apply(target, values));
    },
  });
  const getRandomValues = <T extends ArrayBufferView>(view: T): T => {
    bytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return view;
  };
  const randomUUID = () => {
    throw new Error('a simulated process was asked for a random id that the seed does not know');
  };
  Object.defineProperty(globalThis, 'crypto', {
    configurable: true,
    value: { subtle, getRandomValues, randomUUID },
  });
  return {
    settled: async () => {
      do await setImmediate();
      while (underWay > 0);
    },
    uninstall: () => Object.defineProperty(globalThis, 'crypto', { configurable: true, value: real }),
  };
}
