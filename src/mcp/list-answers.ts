import { BridgeError } from '../errors.ts';
import { connectTool, emptyResult } from './answers.ts';
import type { Hands } from './hands.ts';
import type { ListMethod, WholeList } from './list-cache.ts';
import type { Lists } from './lists.ts';
import {
  errorLine,
  isResponse,
  type Message,
  type MessageId,
  type RawMessage,
  type Request,
  resultLine,
} from './messages.ts';
import type { Session } from './session.ts';

/** Who asks for upstream, as far as the sign-in policy cares. */
export type Wanting = 'toolCall' | 'connectTool' | 'toolList' | 'onlyToolList';

interface ListAnswersOptions {
  lists: Lists;
  session(): Session | undefined;
  hello(): Record<string, unknown>;
  newHands(): Hands;
  /** Does the client still wait for this id? */
  isWaiting(id: MessageId): boolean;
  send(line: string): Promise<void>;
  /** What else arrives while a list is asked for. */
  onMessage(message: RawMessage, session: Session): Promise<void>;
  forward(
    raw: string,
    request: Request,
    hands: Hands,
    wanting: Wanting | undefined,
    onMessage: (message: RawMessage) => Promise<void>,
  ): Promise<string | undefined>;
}

/** Known to ask for the tool list once, and to wait long enough for it (clients.md). */
const asksForToolsOnce = new Set(['claude-ai']);

/** Answers the requests for lists (product.md 4): live within 3 s, else cached; `notion-connect` when there is nothing else. */
export function createListAnswers(options: ListAnswersOptions) {
  const { lists, forward, send } = options;

  const answer = async (raw: string, request: Request, hands: Hands): Promise<string | undefined> => {
    const method = request.method as ListMethod;
    if (!lists.mayUseCursor(request)) {
      return errorLine(request.id, { code: -32602, message: 'invalid params: the cursor is of an earlier session' });
    }
    const cached = request.params?.cursor === undefined ? lists.cached(method) : undefined;
    if (!cached) return live(raw, request, hands, () => true).catch((error) => withoutList(request, error));
    let due = true;
    const background = options.newHands();
    const asking = live(raw, request, background, () => due).finally(background.release);
    const inTime = await lists.inTime(asking.then((line) => ({ line })).catch(() => undefined));
    due = false;
    if (inTime) return inTime.line;
    lists.told(method, cached);
    return resultLine(request.id, cached);
  };

  /** Asks upstream for a list; its answer goes to the client only while that is due. */
  const live = (raw: string, request: Request, hands: Hands, isDue: () => boolean) => {
    const method = request.method as ListMethod;
    const onMessage = async (incoming: RawMessage) => {
      const session = options.session();
      const { message } = incoming;
      if (!isResponse(message) || message.id !== request.id) return session && options.onMessage(incoming, session);
      const passedOn = isDue() && options.isWaiting(request.id);
      const page = isUnknownMethod(message) ? emptyResult(method) : message.result;
      if (page && session && request.params?.cursor === undefined) lists.learn(method, page, session, passedOn);
      if (passedOn) await send(isUnknownMethod(message) ? resultLine(request.id, page) : incoming.raw);
    };
    return forward(raw, request, hands, wantingOf(method), onMessage);
  };

  /** Only a tool list of which nothing is cached may start a sign-in. */
  const wantingOf = (method: ListMethod): Wanting | undefined => {
    if (method !== 'tools/list' || lists.cached(method)) return undefined;
    const { name } = (options.hello().clientInfo ?? {}) as { name?: string };
    return name !== undefined && asksForToolsOnce.has(name) ? 'onlyToolList' : 'toolList';
  };

  const withoutList = (request: Request, error: unknown): string => {
    const isSignIn = error instanceof BridgeError && /^(REAUTH|AUTHORIZATION)_/.test(error.code);
    if (!isSignIn) throw error;
    const method = request.method as ListMethod;
    const list: WholeList = method === 'tools/list' ? { tools: [connectTool] } : (emptyResult(method) as WholeList);
    lists.told(method, list);
    return resultLine(request.id, list);
  };

  return { answer };
}

function isUnknownMethod({ error }: Message): boolean {
  return (error as { code?: unknown } | undefined)?.code === -32601;
}
