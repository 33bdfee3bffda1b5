import type { Clock } from '../clock.ts';
import { BridgeError, describe } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorAnswer } from './answers.ts';
import { createHands, type Hands } from './hands.ts';
import type { MessageId, Request } from './messages.ts';

interface ClientRequestsOptions {
  clock: Clock;
  log: Log;
  /** For what waits for us, ms. */
  bound: number;
  /** The hint with its commands as this connection needs them. */
  hintFor(hint: string): string;
  /** Writes one line to the client. */
  send(line: string): Promise<void>;
}

/** Requests of the client that have no answer yet. */
export interface ClientRequests {
  /** Sees a request through: `work` gives the line to answer with, or nothing when the answer went out already. Never throws. */
  answer(request: Request, work: (hands: Hands) => Promise<string | undefined> | string): Promise<void>;
  /** The request that the client waits for under this id. */
  waiting(id: MessageId): Request | undefined;
  /** The client gave it up. `tell` tells upstream, when that has it. */
  cancel(id: MessageId, tell: () => Promise<void>): Promise<void>;
  /** The client is gone, and gave up whatever it had asked for. */
  close(): void;
}

export function createClientRequests({ clock, log, bound, hintFor, send }: ClientRequestsOptions): ClientRequests {
  const pending = new Map<MessageId, { request: Request; hands: Hands; cancelled: AbortController }>();
  let closed = false;

  const answer: ClientRequests['answer'] = async (request, work) => {
    const cancelled = new AbortController();
    const hands = createHands(clock, bound, cancelled.signal);
    if (closed) hands.drop();
    const entry = { request, hands, cancelled };
    const { id } = request;
    pending.set(id, entry);
    const reply = async (line: string) => {
      if (pending.get(id) === entry) await send(line);
    };
    try {
      const line = await work(hands);
      if (line !== undefined) await reply(line);
    } catch (error) {
      const known = foreseen(error, request);
      log.warn('a request was answered with an error', {
        method: request.method,
        errorCode: known.code,
        why: known.message,
      });
      await reply(errorAnswer(request, known, hintFor(known.hint)));
    } finally {
      hands.release();
      if (pending.get(id) === entry) pending.delete(id);
    }
  };

  const foreseen = (error: unknown, { method }: Request): BridgeError => {
    if (error instanceof BridgeError) return error;
    log.error('a request failed in an unforeseen way', { method, why: describe(error) });
    return new BridgeError('UPSTREAM_UNREACHABLE', describe(error), { cause: error });
  };

  /** Cancelling downstream aborts upstream; what is still in our hands was never sent and never will be (P8). */
  const cancel: ClientRequests['cancel'] = async (id, tell) => {
    const entry = pending.get(id);
    if (!entry) return;
    pending.delete(id);
    const told = entry.hands.isUpstream ? tell() : undefined;
    entry.hands.drop();
    await told;
    entry.cancelled.abort();
  };

  const close = () => {
    closed = true;
    for (const { hands } of pending.values()) hands.drop();
  };

  return { answer, waiting: (id) => pending.get(id)?.request, cancel, close };
}
