import type { Log } from '../log.ts';
import type { Delivery } from './exchange.ts';
import type { Hands } from './hands.ts';
import { type MessageId, notificationLine, type RawMessage, withId, withRequestId } from './messages.ts';
import type { Session } from './session.ts';
import type { Upstream } from './upstream.ts';

interface ServerRequestsOptions {
  upstream(): Upstream;
  log: Log;
  newHands(): Hands;
  /** Writes one line to the client. */
  send(line: string): Promise<void>;
}

/** Requests that upstream sent to the client, and whatever the client says that is no request (product.md 8). */
export interface ServerRequests {
  /** Passes a request of this session to the client. */
  ask(request: RawMessage, session: Session): Promise<void>;
  /** Passes on that upstream withdrew a request. */
  withdraw(cancellation: RawMessage): Promise<void>;
  /** Cancels at the client what the session had asked. */
  sessionEnded(session: Session): void;
  /** Passes the client's response to the session that asked for it. */
  answer(response: RawMessage): Promise<void>;
  /** Passes a notification to the session, the present one by default. Never throws. */
  passOn(raw: string, epoch?: number): Promise<void>;
}

export function createServerRequests({ upstream, log, newHands, send }: ServerRequestsOptions): ServerRequests {
  /** By the id that the client knows. */
  const asked = new Map<MessageId, { id: MessageId; epoch: number }>();
  /** Ids of questions that are withdrawn, or of sessions that are over: their answers may still come. */
  const orphaned = new Set<MessageId>();
  let aliases = 0;

  const ask: ServerRequests['ask'] = async ({ raw, message }, { epoch }) => {
    const id = message.id as MessageId;
    if (!orphaned.has(id)) {
      asked.set(id, { id, epoch });
      return send(raw);
    }
    // Servers count anew in each session. A late answer to the old question must not become one to the new question.
    const alias = `notion-mcp-bridge:again:${++aliases}`;
    asked.set(alias, { id, epoch });
    return send(withId(raw, alias));
  };

  const withdraw: ServerRequests['withdraw'] = async ({ raw, message }) => {
    const requestId = message.params?.requestId as MessageId;
    const [known] = [...asked].find(([, { id }]) => id === requestId) ?? [requestId];
    if (asked.delete(known)) orphaned.add(known);
    await send(known === requestId ? raw : withRequestId(raw, known));
  };

  const sessionEnded = ({ epoch }: Session) => {
    for (const [requestId, { epoch: askedIn }] of asked) {
      if (askedIn !== epoch) continue;
      asked.delete(requestId);
      orphaned.add(requestId);
      const reason = 'the session with the server ended';
      void send(notificationLine('notifications/cancelled', { requestId, reason }));
    }
  };

  const answer: ServerRequests['answer'] = async ({ raw, message }) => {
    const known = message.id as MessageId;
    const question = asked.get(known);
    asked.delete(known);
    orphaned.delete(known);
    // A late answer to a session that is over answers nobody.
    if (!question) return;
    const { id, epoch } = question;
    await passOn(id === known ? raw : withId(raw, id), epoch);
  };

  /** A notification is about the present session; without one there is nothing to say. */
  const passOn = async (raw: string, epoch = upstream().session?.epoch) => {
    if (epoch === undefined) return;
    const hands = newHands();
    const delivery = await upstream()
      .deliver({ raw, resendable: false, hands, epoch })
      .catch((): Delivery | undefined => undefined);
    hands.release();
    if (delivery?.kind !== 'accepted') log.debug('a message could not be passed on', { outcome: delivery?.kind });
  };

  return { ask, withdraw, sessionEnded, answer, passOn };
}
