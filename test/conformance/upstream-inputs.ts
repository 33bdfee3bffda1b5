import { randomBytes } from 'node:crypto';
import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  createRequestStateCodec,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { text } from './upstream-contents.ts';

/** What comes in several rounds (2026-07-28): each round asks for inputs, and the last one's answers complete the result. */
interface Questions {
  rounds: InputRequests[];
  /** Whether the server keeps its place in a state that the client carries. */
  carriesState?: boolean;
}

export const stateCodec = createRequestStateCodec<{ round: number }>({ key: randomBytes(32) });

const form = (message: string, member: string, type = 'string') =>
  ({
    method: 'elicitation/create',
    params: { message, requestedSchema: { type: 'object', properties: { [member]: { type } }, required: [member] } },
  }) as InputRequests[string];
const sample = (words: string) =>
  ({
    method: 'sampling/createMessage',
    params: { messages: [{ role: 'user', content: text(words) }], maxTokens: 100 },
  }) as InputRequests[string];
const roots = { method: 'roots/list', params: {} } as InputRequests[string];
const name = form('What is your name?', 'name');

export const questions: Record<string, Questions> = {
  test_input_required_result_elicitation: { rounds: [{ user_name: name }] },
  test_input_required_result_sampling: { rounds: [{ capital_question: sample('What is the capital of France?') }] },
  test_input_required_result_list_roots: { rounds: [{ client_roots: roots }] },
  test_input_required_result_request_state: {
    rounds: [{ confirm: form('Please confirm', 'ok', 'boolean') }],
    carriesState: true,
  },
  test_input_required_result_multiple_inputs: {
    rounds: [{ user_name: name, greeting: sample('Generate a greeting'), client_roots: roots }],
    carriesState: true,
  },
  test_input_required_result_multi_round: {
    rounds: [{ step1: name }, { step2: form('What is your favorite color?', 'color') }],
    carriesState: true,
  },
  test_input_required_result_tampered_state: { rounds: [{ confirm: name }], carriesState: true },
  test_input_required_result_capabilities: { rounds: [{ ask: name, think: sample('Think') }] },
  test_input_required_result_prompt: { rounds: [{ user_context: form('Which context?', 'context') }] },
  test_streaming_elicitation: { rounds: [{ user_name: name }] },
};

/** The next questions, or undefined once every round has its answers. */
export async function nextQuestions(
  { rounds, carriesState }: Questions,
  context: ServerContext,
): Promise<InputRequiredResult | undefined> {
  const { mcpReq } = context;
  const reached = carriesState ? (mcpReq.requestState<{ round: number }>()?.round ?? 0) : 0;
  const answers = mcpReq.inputResponses ?? {};
  const round = Object.keys(rounds[reached] ?? {}).every((key) => key in answers) ? reached + 1 : reached;
  const inputs = rounds[round];
  if (inputs === undefined) return undefined;
  return inputRequired({
    inputRequests: supported(inputs, declaredBy(context)),
    ...(carriesState ? { requestState: await stateCodec.mint({ round }, context) } : {}),
  });
}

/** The capabilities that the client declares with each request (2026-07-28). */
export function declaredBy({ mcpReq }: ServerContext): ClientCapabilities {
  const envelope = mcpReq.envelope as Record<string, ClientCapabilities> | undefined;
  return envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
}

/** Only what the client has declared may be asked of it. */
function supported(inputs: InputRequests, capabilities: object): InputRequests {
  return Object.fromEntries(
    Object.entries(inputs).filter(([, { method }]) => (method.split('/')[0] as string) in capabilities),
  );
}
