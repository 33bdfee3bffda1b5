import { backOff, type Clock } from '../clock.ts';
import { BridgeError } from '../errors.ts';
import { connectTool, emptyResult, isUnknownMethod, resultTo, staleCursorLine } from './answers.ts';
import type { Forwarded, Wanting } from './forwarding.ts';
import type { Hands } from './hands.ts';
import type { ListMethod, WholeList } from './list-cache.ts';
import type { Lists } from './lists.ts';
import { isResponse, type MessageId, type RawMessage, type Request } from './messages.ts';
import type { Session } from './session.ts';
import type { ShownTools } from './shown-tools.ts';
import type { Upstream } from './upstream.ts';

interface ListAnswersOptions {
  lists: Lists;
  clock: Clock;
  random: () => number;
  /** Where no session looks out for its server by itself. */
  connect?: Upstream['connect'];
  session(): Session | undefined;
  hello(): Record<string, unknown>;
  newHands(): Hands;
  /** Does the client still wait for this id? */
  isWaiting(id: MessageId): boolean;
  /** Passes the answer to a request of the client. */
  passAnswer(message: RawMessage): Promise<void>;
  shownTools: ShownTools;
  /** What else arrives while a list is asked for. */
  onMessage(message: RawMessage, session: Session): Promise<void>;
  forward(forwarded: Forwarded): Promise<string | undefined>;
}

/** Known to ask for the tool list once, and to wait long enough for it (clients.md). */
const asksForToolsOnce = new Set(['claude-ai']);

const firstDelay = 1_000;

/** Answers the requests for lists (product.md 4): live within 3 s, else cached; `notion-connect` when there is nothing else. */
export function createListAnswers(options: ListAnswersOptions) {
  const { lists, clock, random, forward, passAnswer, shownTools } = options;
  let catchingUp = false;

  const answer = async (raw: string, request: Request, hands: Hands): Promise<string | undefined> => {
    const method = request.method as ListMethod;
    if (!lists.mayUseCursor(request)) return staleCursorLine(request.id);
    const cached = request.params?.cursor === undefined ? lists.cached(method) : undefined;
    if (!cached) return live(raw, request, hands, () => true).catch((error) => withoutList(request, error));
    const due = createOnce();
    const background = options.newHands();
    const asking = live(raw, request, background, due.take).finally(background.release);
    const inTime = await lists.inTime(asking.then((line) => ({ line })).catch(() => undefined));
    if (!due.take()) return undefined;
    if (inTime) return inTime.line;
    // Reading ahead may have brought a newer one.
    const latest = lists.cached(method) ?? cached;
    lists.told(method, latest);
    return resultTo(request, shownTools.list(request, latest));
  };

  /** Asks upstream for a list; its answer goes to the client only when nobody else took that on. */
  const live = (raw: string, request: Request, hands: Hands, takeOn: () => boolean) => {
    const method = request.method as ListMethod;
    const onMessage = async (incoming: RawMessage) => {
      const session = options.session();
      const { message } = incoming;
      if (!isResponse(message) || message.id !== request.id) return session && options.onMessage(incoming, session);
      const passedOn = options.isWaiting(request.id) && takeOn();
      const page = isUnknownMethod(message) ? emptyResult(method) : message.result;
      if (page && session) lists.learn({ request, page, session, passedOn });
      if (passedOn) await passAnswer(incoming);
    };
    const epoch = request.params?.cursor === undefined ? undefined : options.session()?.epoch;
    return forward({ raw, request, hands, wanting: wantingOf(method), onMessage, epoch });
  };

  /** Only a tool list of which nothing is cached may start a sign-in. */
  const wantingOf = (method: ListMethod): Wanting | undefined => {
    if (method !== 'tools/list' || lists.cached(method)) return undefined;
    const { name } = (options.hello().clientInfo ?? {}) as { name?: string };
    return name !== undefined && asksForToolsOnce.has(name) ? 'onlyToolList' : 'toolList';
  };

  const withoutList = (request: Request, error: unknown): string => {
    const method = request.method as ListMethod;
    const nothing = emptyResult(method) as WholeList;
    const isSignIn = error instanceof BridgeError && /^(REAUTH|AUTHORIZATION)_/.test(error.code);
    if (!isSignIn) {
      if (request.params?.cursor !== undefined) throw error;
      // Reading ahead may have brought one. Whoever gets none hears of the first that comes.
      const latest = lists.cached(method);
      if (!latest) {
        lists.missed(method);
        void catchUp();
        throw error;
      }
      lists.told(method, latest);
      return resultTo(request, shownTools.list(request, latest));
    }
    const list = method === 'tools/list' ? { tools: [connectTool] } : nothing;
    lists.told(method, list);
    return resultTo(request, list);
  };

  /** A client without tools calls none, and may never ask again: upstream is looked for until it can be told of a change (P7). */
  const catchUp = async () => {
    const { connect } = options;
    if (catchingUp || !connect) return;
    catchingUp = true;
    for (let attempt = 0; lists.isOwed(); attempt++) {
      await clock.sleep(backOff(attempt, random, firstDelay));
      const hands = options.newHands();
      const link = await connect(hands).catch(() => undefined);
      hands.release();
      // Then it is a sign-in that is missing, and that leads to a new session.
      if (link && 'kind' in link && link.kind === 'challenged') break;
      if (!link || 'kind' in link) continue;
      await lists.refresh(link);
      if (!link.over.signal.aborted) break;
    }
    catchingUp = false;
  };

  return { answer };
}

/** Of several who could answer one request, one does. */
function createOnce() {
  let taken = false;
  const take = () => {
    const first = !taken;
    taken = true;
    return first;
  };
  return { take };
}
