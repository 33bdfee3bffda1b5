import { BridgeError } from '../errors.ts';
import { codeOf, initializeRevisions, isModern, metaKeys, newestInitialize } from './eras.ts';
import type { Delivery } from './exchange.ts';
import { type ListMethod, listMembers, type WholeList } from './list-cache.ts';
import { errorLine, type Message, type MessageId, type Request, resultLine } from './messages.ts';
import { completed, ownErrorCode } from './modern-answers.ts';
import type { ServerDescription } from './session.ts';

/** Our own tool, listed while there is nothing else to list (product.md 4). */
export const connectTool = {
  name: 'notion-connect',
  title: 'Connect to Notion',
  description:
    'Connects this app to Notion. Call it when the user wants to use Notion and no other Notion tools are available, or when another tool says that a sign-in is needed. It gives a sign-in link to show to the user and waits until the user has approved in the browser.',
  inputSchema: { type: 'object', properties: {} },
  annotations: { readOnlyHint: true, openWorldHint: true },
};

/** For a client that asks without having introduced itself. */
export function anonymousHello(version: string): Record<string, unknown> {
  return { protocolVersion: newestInitialize, capabilities: {}, clientInfo: { name: 'notion-mcp-bridge', version } };
}

/** Answers `initialize` locally, at once, in every state (P6). */
export function initializeResult(
  requested: unknown,
  server: ServerDescription | undefined,
  version: string,
): Record<string, unknown> {
  const supported = initializeRevisions.find((revision) => revision === requested) ?? newestInitialize;
  const protocolVersion = server && server.protocolVersion < supported ? server.protocolVersion : supported;
  if (!server) return { protocolVersion, capabilities: declared(undefined), serverInfo: ownInfo(version) };
  return { ...server, protocolVersion, capabilities: declared(server.capabilities) };
}

/** Answers `server/discover` locally. `discovered`: what upstream answered to it last; `told`: the revision that it surely speaks. */
export function discoverResult(
  discovered: Record<string, unknown> | undefined,
  told: string,
  version: string,
): Record<string, unknown> {
  const known: Record<string, unknown> = {
    supportedVersions: [told],
    _meta: { [metaKeys.serverInfo]: ownInfo(version) },
    ...discovered,
  };
  return { ...known, capabilities: declared(known.capabilities as Record<string, unknown> | undefined) };
}

/** For who asks before anything is known of upstream. */
export function ownInfo(version: string): Record<string, unknown> {
  return { name: 'notion-mcp-bridge', title: 'Notion', version };
}

const undeclared = { tools: {}, resources: { subscribe: true }, prompts: {}, logging: {}, completions: {} };

/** Lists that were answered from a cache change when the live ones arrive, whether upstream announces changes or not. */
export function declared(known: Record<string, unknown> | undefined): Record<string, unknown> {
  const capabilities: Record<string, unknown> = known ? { ...known, tools: known.tools ?? {} } : undeclared;
  const announced = ['tools', 'resources', 'prompts'].filter((name) => capabilities[name] !== undefined);
  const changed = announced.map((name) => [name, { ...(capabilities[name] as object), listChanged: true }]);
  return { ...capabilities, ...Object.fromEntries(changed) };
}

/** What upstream lacks although we had to declare it before we knew (product.md 4). */
export function emptyResult(method: string): WholeList | undefined {
  if (Object.hasOwn(listMembers, method)) return { [listMembers[method as ListMethod]]: [] };
  if (method === 'completion/complete') return { completion: { values: [] } };
  return ['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'].includes(method) ? {} : undefined;
}

/** Upstream does not know the method. */
export function isUnknownMethod({ error }: Message): boolean {
  return codeOf(error) === -32601;
}

/** A cursor goes only to the session that issued it (product.md 4). */
export function staleCursorLine(id: MessageId): string {
  return errorLine(id, { code: -32602, message: 'invalid params: the cursor is of an earlier session' });
}

/** Which capability of the server a method needs; undefined for methods that need none. */
export function capabilityOf(method: string): string | undefined {
  const [area = ''] = method.split('/');
  return { tools: 'tools', prompts: 'prompts', resources: 'resources', logging: 'logging', completion: 'completions' }[
    area
  ];
}

/** A result of our own, in the form of the era that the request is of. */
export function resultTo(request: Request, result: Record<string, unknown> | undefined): string {
  return resultLine(request.id, isModern(request) ? completed(request.method, result) : result);
}

/** Sign-in and transport trouble: to a model a tool result that a person can act on, to anything else a JSON-RPC error. */
export function errorAnswer(request: Request, error: BridgeError, hint = error.hint): string {
  const { code, message, signInUrl } = error;
  if (request.method !== 'tools/call') {
    const data = { code, hint, ...(signInUrl === undefined ? {} : { signInUrl }) };
    const number = isModern(request) ? ownErrorCode : -32000;
    return errorLine(request.id, { code: number, message: `${message}; ${hint}`, data });
  }
  const link = signInUrl === undefined ? '' : `\n\nSign-in link to show to the user: ${signInUrl}`;
  const text = `${code}: ${message}. Next step: ${hint}.${link}`;
  return resultTo(request, { content: [{ type: 'text', text }], isError: true });
}

/** A delivery that ended without the server's response, as the error of the request. `resendable`: acting twice does no harm. */
export function errorOf(delivery: Delivery, request: Request, resendable = false): BridgeError {
  const isChange = request.method === 'tools/call' && !resendable;
  switch (delivery.kind) {
    case 'not-sent':
      return new BridgeError(
        'UPSTREAM_UNREACHABLE',
        `could not reach the server (${delivery.why})`,
        delivery.untrusted ? { hint: untrustedHint } : {},
      );
    case 'ambiguous':
      return isChange
        ? outcomeUnknown(`the connection failed while the server had the call (${delivery.why})`)
        : new BridgeError('UPSTREAM_UNREACHABLE', `the server did not answer (${delivery.why})`);
    case 'busy':
      return new BridgeError('UPSTREAM_REFUSED', `the server is busy (status ${delivery.status})`, {
        hint: waitHint(delivery.retryAfter),
      });
    case 'refused':
      if (delivery.taken && isChange) return outcomeUnknown(delivery.text);
      return new BridgeError(
        'UPSTREAM_REFUSED',
        `the server answered with status ${delivery.status}${delivery.text ? `: ${oneLine(delivery.text)}` : ''}`,
      );
    case 'session-gone':
      return new BridgeError('UPSTREAM_REFUSED', 'the server keeps ending the session');
    default:
      return new BridgeError('REAUTH_REQUIRED', 'a sign-in is needed');
  }
}

function outcomeUnknown(why: string): BridgeError {
  return new BridgeError('OUTCOME_UNKNOWN', `${why}; the change may or may not have been made`);
}

const untrustedHint =
  'behind a network that inspects traffic, set NODE_EXTRA_CA_CERTS to the file of its certificate authority; otherwise do not trust this network';

function waitHint(retryAfter: number | undefined): string {
  return retryAfter === undefined
    ? 'wait a little, then try again'
    : `try again in ${Math.ceil(retryAfter / 1000)} seconds`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 300);
}
