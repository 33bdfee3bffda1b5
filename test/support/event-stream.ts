import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { createHttp } from '../../src/http.ts';
import { listen, type Session } from '../../src/mcp/session.ts';
import { collectedLog } from './store-in-test.ts';

export interface EventStream {
  /** Resolves once the server was asked so often. */
  asked(times: number): Promise<void>;
  /** How long the bridge meant to wait before each time but the first, ms; no time passes. */
  pauses: readonly number[];
  /** The first message. */
  received: Promise<string>;
  /** Resolves when the bridge asks no more. */
  over: Promise<void>;
}

/** A session's own event stream at a server whose answers the test decides; over with the test. `isOver`: the session, if anybody can tell. */
export function openEventStream(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
  isOver?: boolean,
): EventStream {
  const pauses: number[] = [];
  const session: Session = {
    epoch: 1,
    id: 'session',
    server: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: {} },
    authorization: undefined,
    over: new AbortController(),
  };
  const clock: Clock = { ...systemClock, sleep: async (ms) => void pauses.push(ms) };
  let count = 0;
  let enough: { times: number; resolve: () => void } | undefined;
  let receive: (raw: string) => void = () => undefined;
  const received = new Promise<string>((resolve) => {
    receive = resolve;
  });
  const server = createServer((request, response) => {
    count += 1;
    answer(response, request);
    if (enough && count >= enough.times) enough.resolve();
  });
  const over = new Promise<void>((resolve, reject) => {
    server.listen(0, '127.0.0.1', () => {
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`);
      const { log } = collectedLog();
      const stays = { http: createHttp(clock), clock, log, random: () => 1, url, session };
      const onMessage = async ({ raw }: { raw: string }) => receive(raw);
      listen({ ...stays, token: async () => undefined, onMessage, isOver: async () => isOver }).then(resolve, reject);
    });
  });
  onTestFinished(async () => {
    session.over.abort();
    await over;
    server.closeAllConnections();
    server.close();
  });
  const asked = (times: number) =>
    new Promise<void>((resolve) => {
      enough = { times, resolve };
      if (count >= times) resolve();
    });
  return { asked, pauses, received, over };
}
