import type { Clock } from '../clock.ts';
import type { Http } from '../http.ts';
import type { TokenSource } from '../token-source.ts';
import { declared } from './answers.ts';
import { createAuthorizedExchange, type Post } from './authorized-exchange.ts';
import { firstModern, isModernRevision, metaFor, metaKeys, supportedBy } from './eras.ts';
import type { Delivery } from './exchange.ts';
import type { Hands } from './hands.ts';
import { isResponse, type Message, type RawMessage } from './messages.ts';
import { mirroredHeaders } from './mirrored-headers.ts';
import { createRedelivery } from './redelivery.ts';
import type { ServerDescription, Session } from './session.ts';
import type { Upstream } from './upstream.ts';

/** What upstream's answer to `server/discover` says of the era that it speaks; undefined when it says nothing. */
export type EraVerdict = { result: Record<string, unknown> } | 'legacy' | undefined;

export interface StatelessOptions {
  url: URL;
  http: Http;
  tokens: TokenSource;
  clock: Clock;
  random: () => number;
  /** The client on whose behalf we ask, in the words of `initialize`. */
  hello(): Record<string, unknown>;
  /** What upstream last answered to `server/discover`. */
  discovered(): Record<string, unknown> | undefined;
  onVerdict(verdict: EraVerdict): Promise<void>;
  /** Upstream has answered a request. */
  onAnswered(): void;
}

/** Upstream in the era without sessions (2026-07-28): each request stands for itself, and goes out as it is. */
export interface StatelessUpstream extends Pick<Upstream, 'deliver' | 'ask' | 'connect' | 'meet'> {
  /** What is said to one authorization. */
  readonly session: Session;
  /** From here on upstream is spoken to in another one. */
  renew(authorization: string): void;
}

const ownIds = 'notion-mcp-bridge:';

export function createStatelessUpstream(options: StatelessOptions): StatelessUpstream {
  const { url, http, tokens, clock, random, hello, discovered, onVerdict } = options;
  let lastId = 0;
  const newId = () => `${ownIds}${++lastId}`;
  const nobody = async () => undefined;
  const { send } = createAuthorizedExchange({ url, http, tokens, clock, random, newId, onMessage: nobody });
  const redeliver = createRedelivery({ http, clock, random });

  const newSession = (authorization: string | undefined): Session => ({
    epoch: 0,
    id: undefined,
    authorization,
    over: new AbortController(),
    isStateless: true,
    get server() {
      return descriptionOf(discovered());
    },
  });
  let session = newSession(undefined);

  const renew = (authorization: string) => {
    session.over.abort();
    session = newSession(authorization);
  };

  const deliver = async (post: Post) => {
    const { onMessage = nobody, headers = {} } = post;
    const delivery = await redeliver(post, () => send(undefined, { ...post, headers, onMessage }));
    if (delivery.kind === 'answered') options.onAnswered();
    return delivery;
  };

  /** A request of our own, on behalf of the client. */
  const request = async (method: string, params: Record<string, unknown>, hands: Hands) => {
    const id = newId();
    const message = { jsonrpc: '2.0', id, method, params: { ...params, _meta: metaFor(hello()) } };
    let answer: Message = {};
    const onMessage = async (incoming: RawMessage) => {
      if (isResponse(incoming.message) && incoming.message.id === id) answer = incoming.message;
    };
    const headers = mirroredHeaders(message);
    const post = { raw: JSON.stringify(message), answerTo: id, resendable: true, hands, onMessage, headers };
    const delivery = await deliver(post);
    return { delivery, answer };
  };

  const ask: StatelessUpstream['ask'] = async (asked, method, params, hands) => {
    const { answer } = await request(method, params, hands);
    return asked.over.signal.aborted ? undefined : answer.result;
  };

  const connect: StatelessUpstream['connect'] = async (hands) => {
    const { delivery, answer } = await request('server/discover', {}, hands);
    const verdict = verdictOf(delivery, answer);
    await onVerdict(verdict);
    if (typeof verdict === 'object') return session;
    if (delivery.kind !== 'answered') return delivery;
    return { kind: 'refused', status: 200, error: answer.error, text: `the server does not speak ${firstModern}` };
  };

  return {
    deliver,
    ask,
    connect,
    meet: connect,
    renew,
    get session() {
      return session;
    },
  };
}

/** Refusals that a server of the other era gives (2026-07-28, Backward Compatibility). */
const legacyRefusals = new Set([400, 404, 405]);

function verdictOf(delivery: Delivery, { result, error }: Message): EraVerdict {
  if (delivery.kind === 'answered' && result) {
    const supported = result.supportedVersions;
    return Array.isArray(supported) && supported.some(isModernRevision) ? { result } : 'legacy';
  }
  const refusal = delivery.kind === 'refused' ? delivery.error : error;
  const supported = supportedBy(refusal);
  if (supported.some(isModernRevision)) return { result: { supportedVersions: supported } };
  if (delivery.kind === 'answered') return 'legacy';
  return delivery.kind === 'refused' && legacyRefusals.has(delivery.status) ? 'legacy' : undefined;
}

function descriptionOf(result: Record<string, unknown> = {}): ServerDescription {
  const meta = result._meta as Record<string, unknown> | undefined;
  return {
    protocolVersion: firstModern,
    capabilities: (result.capabilities as Record<string, unknown> | undefined) ?? declared(undefined),
    serverInfo: (meta?.[metaKeys.serverInfo] as Record<string, unknown> | undefined) ?? {},
  };
}
