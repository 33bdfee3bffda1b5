import {
  type CallToolResult,
  MissingRequiredClientCapabilityError,
  type ServerContext,
  type Tool,
} from '@modelcontextprotocol/server';
import { audio, embedded, image, text } from './upstream-contents.ts';
import { declaredBy } from './upstream-inputs.ts';

/** The tools that the server scenarios call, with what their descriptions ("Server Implementation Requirements") want of each. */
interface UpstreamTool {
  description: string;
  /** Without one it takes nothing. */
  inputSchema?: Tool['inputSchema'];
  call(
    given: Record<string, unknown>,
    context: ServerContext,
  ): Promise<CallToolResult['content']> | CallToolResult['content'];
}

export const nothing: Tool['inputSchema'] = { type: 'object' };

const takes = (name: string): Tool['inputSchema'] => ({
  type: 'object',
  properties: { [name]: { type: 'string' } },
  required: [name],
});

/** Asks the person for a form, and tells what came. */
const elicit =
  (properties: Record<string, object>) =>
  async ({ message = 'Please fill this in' }: Record<string, unknown>, { mcpReq }: ServerContext) => {
    const requestedSchema = { type: 'object', properties, required: [] };
    const { action, content } = await mcpReq.send({
      method: 'elicitation/create',
      params: { message, requestedSchema },
    });
    return [text(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`)];
  };

const choices = ['First', 'Second', 'Third'];
const options = choices.map((_, nth) => `option${nth + 1}`);
const titled = (what: string) =>
  choices.map((choice, nth) => ({ const: `value${nth + 1}`, title: `${choice} ${what}` }));

const conditional: Tool['inputSchema'] = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { city: { type: 'string' } } } },
  properties: { address: { $ref: '#/$defs/address' }, by: { enum: ['phone', 'email'] } },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { by: { const: 'phone' } } },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

export const tools: Record<string, UpstreamTool> = {
  test_simple_text: {
    description: 'Gives a text',
    call: () => [text('This is a simple text response for testing.')],
  },
  test_image_content: { description: 'Gives a picture', call: () => [image] },
  test_audio_content: { description: 'Gives a sound', call: () => [audio] },
  test_embedded_resource: {
    description: 'Gives a resource',
    call: () => [embedded('test://embedded-resource', 'This is an embedded resource content.')],
  },
  test_multiple_content_types: {
    description: 'Gives one of each',
    call: () => [text('Multiple content types test:'), image, embedded('test://mixed-content-resource', 'mixed')],
  },
  test_tool_with_logging: {
    description: 'Logs three times',
    call: async (_given, { mcpReq }) => {
      for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed'])
        await mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } });
      return [text('logged')];
    },
  },
  test_tool_with_progress: {
    description: 'Tells its progress three times',
    call: async (_given, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (const progress of progressToken === undefined ? [] : [0, 50, 100])
        await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
      return [text(String(progressToken))];
    },
  },
  test_error_handling: {
    description: 'Fails',
    call: () => {
      throw new Error('This tool intentionally returns an error for testing');
    },
  },
  test_sampling: {
    description: 'Asks the model of the client',
    inputSchema: takes('prompt'),
    call: async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: 'user', content: text(String(prompt)) }];
      const answer = await mcpReq.send({ method: 'sampling/createMessage', params: { messages, maxTokens: 100 } });
      return [text(`LLM response: ${JSON.stringify(answer.content)}`)];
    },
  },
  test_elicitation: {
    description: 'Asks the person',
    inputSchema: takes('message'),
    call: elicit({ response: { type: 'string' } }),
  },
  test_elicitation_sep1034_defaults: {
    description: 'Asks the person, with defaults',
    call: elicit({
      name: { type: 'string', default: 'John Doe' },
      age: { type: 'integer', default: 30 },
      score: { type: 'number', default: 95.5 },
      status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
      verified: { type: 'boolean', default: true },
    }),
  },
  test_elicitation_sep1330_enums: {
    description: 'Asks the person to choose',
    call: elicit({
      untitledSingle: { type: 'string', enum: options },
      titledSingle: { type: 'string', oneOf: titled('Option') },
      legacyEnum: {
        type: 'string',
        enum: ['opt1', 'opt2', 'opt3'],
        enumNames: ['Option One', 'Option Two', 'Option Three'],
      },
      untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
      titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
    }),
  },
  test_reconnection: {
    description: 'Ends its stream in the middle of the call',
    call: (_given, { http }) => {
      http?.closeSSE?.();
      return [text('reconnected')];
    },
  },
  test_missing_capability: {
    description: 'Wants a client that samples',
    call: (_given, context) => {
      const requiredCapabilities = { sampling: {} };
      if (!declaredBy(context).sampling) throw new MissingRequiredClientCapabilityError({ requiredCapabilities });
      return [text('it samples')];
    },
  },
  test_logging_tool: {
    description: 'Logs where the client asked for it',
    call: async (_given, { mcpReq }) => {
      await mcpReq.log('info', 'Tool execution started');
      return [text('logged')];
    },
  },
  json_schema_2020_12_tool: {
    description: 'Has a schema with every keyword',
    inputSchema: conditional,
    call: () => [text('fine')],
  },
};
