import { untilAborted } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import type { Challenge } from '../oauth/discovery.ts';
import { connectTool, errorOf, resultTo, staleCursorLine } from './answers.ts';
import type { Delivery } from './exchange.ts';
import type { Hands } from './hands.ts';
import type { Lists } from './lists.ts';
import { errorLine, type RawMessage, type Request, withId } from './messages.ts';
import type { ShownTools } from './shown-tools.ts';
import type { SignInOffers } from './sign-in-offers.ts';
import type { Upstream } from './upstream.ts';

/** Who asks for upstream, as far as the sign-in policy cares. */
export type Wanting = 'toolCall' | 'connectTool' | 'toolList' | 'onlyToolList';

/** A request on its way to upstream. */
export interface Forwarded {
  raw: string;
  request: Request;
  hands: Hands;
  /** Who may start a sign-in for it; nobody by default. */
  wanting?: Wanting | undefined;
  /** Takes what comes back instead of the relay. */
  onMessage?: ((message: RawMessage) => Promise<void>) | undefined;
  /** The only session that it makes sense to. */
  epoch?: number | undefined;
}

/** A request that waits for a sign-in. */
interface WaitingForSignIn {
  wanting: Wanting;
  cancelled: AbortSignal;
  offer?: SignInOffers['offer'] | undefined;
}

export interface CallOptions {
  /** Resolves when the request may be sent again. @throws BridgeError */
  signIn(need: { challenge: Challenge; authorization?: string | undefined }, waiting: WaitingForSignIn): Promise<void>;
  signInRequired(): Promise<BridgeError>;
  shownTools: ShownTools;
  /** Before a tool is called. */
  onToolCall(): void;
}

interface ForwardingOptions extends CallOptions {
  upstream: Pick<Upstream, 'deliver' | 'meet'>;
  lists: Pick<Lists, 'tool' | 'isSafeTool'>;
  /** What has to be through before a request goes out. */
  ready(): Promise<unknown>;
  /** What mirrors a request that needs no session. */
  headersOf?(request: Request): Record<string, string>;
  /** Offers the link of a sign-in to the person. Only where the server may ask the client something. */
  offer?: SignInOffers['offer'];
  /** Knows better what a refusal means: gives the line to answer with, or 'again' to send it once more. */
  onRefused?(
    delivery: Delivery & { kind: 'refused' },
    request: Request,
    hands: Hands,
  ): Promise<string | 'again' | undefined>;
}

const mostStepUps = 2;

/** Takes requests upstream, with a sign-in where that is wanted. */
export function createForwarding({
  upstream,
  lists,
  ready,
  headersOf,
  offer,
  onRefused,
  ...options
}: ForwardingOptions) {
  /** Resolves with nothing once the request's own answer went to the client. @throws BridgeError */
  const forward = async ({ raw, request, hands, wanting, onMessage, epoch }: Forwarded) => {
    const resendable = request.method !== 'tools/call' || lists.isSafeTool(request.params?.name);
    for (let stepUps = 0, repeated = false; ; ) {
      await untilAborted(ready(), hands.signal);
      const headers = headersOf?.(request);
      const delivery = await upstream.deliver({
        raw,
        answerTo: request.id,
        resendable,
        hands,
        onMessage,
        epoch,
        headers,
      });
      if (delivery.kind === 'answered' || hands.cancelled.aborted) return undefined;
      if (delivery.kind === 'refused') {
        const line = await onRefused?.(delivery, request, hands);
        if (line === 'again' && !repeated) {
          repeated = true;
          continue;
        }
        if (line !== undefined && line !== 'again') return line;
        // It may be our `initialize` that was refused.
        if (delivery.raw !== undefined) return withId(delivery.raw, request.id);
        if (delivery.error !== undefined) return errorLine(request.id, delivery.error);
      }
      if (delivery.kind === 'session-gone' && epoch !== undefined) return staleCursorLine(request.id);
      if (delivery.kind !== 'challenged') throw errorOf(delivery, request, resendable);
      if (delivery.status === 403 && ++stepUps > mostStepUps)
        throw new BridgeError('UPSTREAM_REFUSED', 'the server wants more scope than it grants');
      if (!wanting) throw await options.signInRequired();
      await signIn(delivery, wanting, hands);
    }
  };

  /** The wait for a person has a bound of its own. */
  const signIn = async (delivery: Delivery & { kind: 'challenged' }, wanting: Wanting, hands: Hands) => {
    hands.pass();
    await options.signIn(delivery, { wanting, cancelled: hands.cancelled, offer });
    hands.take();
  };

  /** Calls a tool; ours, which is always there, by ourselves. @throws BridgeError */
  const callTool = async (call: Omit<Forwarded, 'wanting'>): Promise<string | undefined> => {
    const name = call.request.params?.name;
    if (name === connectTool.name) return answerConnect(call.request, call.hands);
    options.shownTools.mayCall(name, lists.tool(name));
    options.onToolCall();
    return forward({ ...call, wanting: 'toolCall' });
  };

  /** Answers a call of our own tool. @throws BridgeError */
  const answerConnect = async (request: Request, hands: Hands): Promise<string> => {
    let link = await upstream.meet(hands);
    if ('kind' in link && link.kind === 'challenged') {
      await signIn(link, 'connectTool', hands);
      link = await upstream.meet(hands);
    }
    // To connect makes no change.
    if ('kind' in link) throw errorOf(link, request, true);
    const name = link.server.serverInfo.title ?? link.server.serverInfo.name ?? 'the server';
    const text = `Connected to ${name}. Its tools are available now; if this app does not show them, list the tools again or start a new chat.`;
    return resultTo(request, { content: [{ type: 'text', text }] });
  };

  return { forward, callTool };
}
