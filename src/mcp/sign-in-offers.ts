import { describe } from '../errors.ts';
import type { Log } from '../log.ts';
import { jsonOf, type Message, type MessageId, notificationLine } from './messages.ts';

/** The link of a pending sign-in, for a client that can show it to the person. */
export interface SignInLink {
  /** Of the pending sign-in. */
  id: string;
  url: string;
  /** Resolves once that sign-in has ended, one way or the other. */
  ended(): Promise<unknown>;
}

interface SignInOffersOptions {
  log: Log;
  /** The client's capabilities, once it has said that it is initialised. */
  capabilities(): unknown;
  /** Writes one line to the client. */
  send(line: string): Promise<void>;
}

/** The link in the client's own dialog: elicitation by URL (2025-11-25, Elicitation), for clients that declare it. */
export interface SignInOffers {
  /** Offers a link, once. Whatever the client makes of it, the answers of its calls stay as they are. */
  offer(link: SignInLink): void;
  /** Takes the client's response; false when it is to somebody else. */
  take(response: Message): boolean;
}

const ownIds = 'notion-mcp-bridge:sign-in:';
const message = 'A sign-in is needed before the tools of this server can be used. Approve the access in the browser.';

export function createSignInOffers({ log, capabilities, send }: SignInOffersOptions): SignInOffers {
  const offered = new Map<MessageId, 'open' | 'accepted' | 'refused'>();

  const offer: SignInOffers['offer'] = ({ id: elicitationId, url, ended }) => {
    const id = `${ownIds}${elicitationId}`;
    if (offered.has(id) || !takesUrls(capabilities())) return;
    offered.set(id, 'open');
    const params = { mode: 'url', elicitationId, url, message };
    void send(jsonOf({ jsonrpc: '2.0', id, method: 'elicitation/create', params }));
    ended()
      .then(() => close(id, elicitationId))
      .catch((error) => log.debug('could not look after an offered link', { why: describe(error) }));
  };

  /** A dialog that is still open is withdrawn. */
  const close = async (id: string, elicitationId: string) => {
    const state = offered.get(id);
    if (state === 'open')
      await send(notificationLine('notifications/cancelled', { requestId: id, reason: 'the sign-in has ended' }));
    if (state === 'accepted') await send(notificationLine('notifications/elicitation/complete', { elicitationId }));
  };

  const take: SignInOffers['take'] = ({ id = null, result }) => {
    if (!offered.has(id)) return false;
    offered.set(id, result?.action === 'accept' ? 'accepted' : 'refused');
    return true;
  };

  return { offer, take };
}

/** `elicitation: {}` means forms alone. */
function takesUrls(capabilities: unknown): boolean {
  const { elicitation } = (capabilities ?? {}) as { elicitation?: { url?: unknown } | null };
  return typeof elicitation?.url === 'object' && elicitation.url !== null;
}
