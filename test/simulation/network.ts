import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { createDeadline } from '../../src/clock.ts';
import { ConnectionError, type Http, type HttpRequest, type HttpResponse } from '../../src/http.ts';
import type { Endpoint } from '../support/upstream/request-log.ts';
import type { Chance } from './chance.ts';
import type { Ledger } from './ledger.ts';
import type { Machine } from './machine.ts';
import type { SimulatedProcess } from './process.ts';
import type { Departure, SimulatedServer } from './server.ts';
import { clear, fateIn, type Weather } from './weather.ts';

/** The way from the machine to the server and back. */
export interface Network {
  weather: Weather;
  /** Connections that stand are cut, as when the server is restarted. */
  cutAll(): void;
  /** Upstream has a request of this process. */
  isHolding(process: SimulatedProcess): boolean;
  /** The network as one process uses it. */
  httpOf(process: SimulatedProcess): Http;
}

interface NetworkParts {
  machine: Machine;
  server: SimulatedServer;
  ledger: Ledger;
  chance: Chance;
}

const connectTimeout = 10_000;
const fetchTimeout = 30_000;
/** How long a connection that was reset by somebody on the way takes to show it, ms. */
const resetAfter = 3_000;
const kernelPatience = 120_000;

export function createNetwork({ machine, server, ledger, chance }: NetworkParts): Network {
  const { time } = machine;
  const standing = new Set<() => void>();

  const exchange = (process: SimulatedProcess, url: URL, init: HttpRequest) => {
    const endpoint = endpointOf(url);
    const passage = ledger.leaves(process, endpoint, init);
    const what = init.body?.includes('grant_type=authorization_code') ? 'code' : endpoint;
    const oneWay = () => 1 + chance.around(network.weather.hits(endpoint) ? network.weather.delay : clear.delay);
    return new Promise<Departure>((resolve, reject) => {
      let sent = false;
      let over = false;
      const end = (why: string, byItself = false) => {
        if (over) return;
        over = true;
        standing.delete(cut);
        passage.gaveUp(byItself);
        reject(new ConnectionError(sent, new Error(why)));
      };
      const cut = () => process.soon(chance.around(20), 'the connection is cut', () => end('the connection was cut'));
      init.signal?.addEventListener('abort', () => end('the client gave up', true));
      init.unsentSignal?.addEventListener('abort', () => sent || end('gave up before the connection stood'));
      if (init.signal?.aborted || init.unsentSignal?.aborted) return end('the client gave up');
      void process.clock.sleep(connectTimeout).then(() => sent || end('no connection'));

      const connect = () => {
        const fate = fateIn(network.weather, endpoint, chance);
        if (over) return;
        if (fate.kind === 'no connection') return end('no connection');
        sent = true;
        standing.add(cut);
        init.onSent?.();
        passage.sent();
        time.at(time.now() + oneWay(), () => void arrive(fate).catch(broken));
      };
      const arrive = async (fate: ReturnType<typeof fateIn>) => {
        if (fate.kind === 'request lost') return lose(fate.silent);
        if (fate.kind === 'replaced' && !fate.handled) return answer(fate.answer);
        const departure = await ledger.handled(passage, () =>
          server.handle({ method: init.method, url, headers: init.headers, body: init.body }),
        );
        if (fate.kind === 'response lost') return lose(fate.silent);
        answer(fate.kind === 'replaced' ? fate.answer : departure, fate.kind === 'passes');
      };
      const lose = (silent: boolean) => {
        passage.lost();
        // Nobody waits for upstream for ever: in the end the kernel gives a dead connection up.
        if (!silent || endpoint === 'mcp') time.at(time.now() + (silent ? kernelPatience : resetAfter), cut);
      };
      const answer = (departure: Departure, isOwn = false) => {
        if (!isOwn) passage.lost();
        passage.status = departure.status;
        time.at(time.now() + oneWay(), () => {
          // A machine that sleeps for long is forgotten by what stands between it and the server.
          if (machine.isAsleep() && chance.happens(0.3)) return lose(false);
          passage.arrived();
          process.later(0, `an answer is read (${what})`, () => {
            if (over) return;
            over = true;
            standing.delete(cut);
            passage.delivered();
            resolve(departure);
          });
        });
      };
      process.later(oneWay(), `the connection stands (${what})`, connect).catch(broken);
    });
  };

  const broken = (error: unknown) => {
    throw error;
  };

  const network: Network = {
    weather: clear,
    cutAll: () => {
      for (const cut of [...standing]) cut();
    },
    isHolding: (process) =>
      [...ledger.passages].some((passage) => passage.process === process && passage.endpoint === 'mcp'),
    httpOf: (process) => ({
      request: async (url, init) => asResponse(await exchange(process, url, init)),
      fetch: async (url, init) => {
        const deadline = init.signal ? undefined : createDeadline(process.clock, fetchTimeout);
        const method = init.method === 'POST' ? 'POST' : 'GET';
        const body = init.body === undefined || init.body === null ? undefined : String(init.body);
        const signal = init.signal ?? deadline?.signal;
        try {
          const {
            status,
            headers,
            body: text,
          } = await exchange(process, new URL(url), {
            method,
            headers: init.headers ?? {},
            body,
            signal,
          });
          return new Response(text, { status, headers });
        } finally {
          deadline?.release();
        }
      },
      proxyOf: () => '',
      closeIdle: () => undefined,
    }),
  };
  return network;
}

function endpointOf({ pathname }: URL): Endpoint {
  if (pathname.startsWith('/.well-known/')) return 'metadata';
  return ({ '/token': 'token', '/register': 'register', '/mcp': 'mcp' } as const)[pathname] ?? 'other';
}

function asResponse({ status, headers, body }: Departure): HttpResponse {
  const stream = Readable.from([Buffer.from(body)]) as IncomingMessage;
  return { status, header: (name) => headers[name], body: stream };
}
