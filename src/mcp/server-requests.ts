import type { Log } from '../log.ts';
import type { Delivery } from './exchange.ts';
import type { Hands } from './hands.ts';
import { type MessageId, notificationLine } from './messages.ts';
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
  /** Notes a request of this session. */
  asked(id: MessageId, session: Session): void;
  /** Upstream withdrew its request. */
  withdrawn(id: MessageId): void;
  /** Cancels at the client what the session had asked. */
  sessionEnded(session: Session): void;
  /** Passes the client's response to the session that asked for it. */
  answered(raw: string, id: MessageId): Promise<void>;
  /** Passes a notification to the session, the present one by default. Never throws. */
  passOn(raw: string, epoch?: number): Promise<void>;
}

export function createServerRequests({ upstream, log, newHands, send }: ServerRequestsOptions): ServerRequests {
  /** By the epoch of their session. */
  const asked = new Map<MessageId, number>();

  const sessionEnded = ({ epoch }: Session) => {
    for (const [requestId, askedIn] of asked) {
      if (askedIn !== epoch) continue;
      asked.delete(requestId);
      const reason = 'the session with the server ended';
      void send(notificationLine('notifications/cancelled', { requestId, reason }));
    }
  };

  const answered = async (raw: string, id: MessageId) => {
    const epoch = asked.get(id);
    asked.delete(id);
    // A late answer to a session that is over answers nobody.
    if (epoch !== undefined) await passOn(raw, epoch);
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

  return {
    asked: (id, { epoch }) => void asked.set(id, epoch),
    withdrawn: (id) => void asked.delete(id),
    sessionEnded,
    answered,
    passOn,
  };
}
