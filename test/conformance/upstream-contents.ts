/** What the server scenarios ask for by name: resources, prompts, and pieces of content that tools give, too. */

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg==';
const silence = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

export const text = (words: string) => ({ type: 'text', text: words }) as const;
export const image = { type: 'image', data: pixel, mimeType: 'image/png' } as const;
export const audio = { type: 'audio', data: silence, mimeType: 'audio/wav' } as const;
export const embedded = (uri: string, words: string) =>
  ({ type: 'resource', resource: { uri, mimeType: 'text/plain', text: words } }) as const;

export const resources = [
  { uri: 'test://static-text', name: 'static-text', description: 'A text that stays', mimeType: 'text/plain' },
  { uri: 'test://static-binary', name: 'static-binary', description: 'A picture that stays', mimeType: 'image/png' },
  { uri: 'test://watched-resource', name: 'watched', description: 'A text to subscribe to', mimeType: 'text/plain' },
];

export const resourceTemplates = [
  {
    uriTemplate: 'test://template/{id}/data',
    name: 'template',
    description: 'A text for each id',
    mimeType: 'application/json',
  },
];

export function readResource(uri: string) {
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id !== undefined)
    return { contents: [{ uri, mimeType: 'application/json', text: JSON.stringify({ id, data: `Data for ${id}` }) }] };
  const mimeType = resources.find((resource) => resource.uri === uri)?.mimeType;
  if (mimeType === undefined) return undefined;
  return {
    contents: [{ uri, mimeType, ...(mimeType === 'image/png' ? { blob: pixel } : { text: `This is ${uri}.` }) }],
  };
}

const argument = (name: string) => ({ name, description: `What goes in for ${name}`, required: true });

export const prompts = [
  { name: 'test_simple_prompt', description: 'Takes nothing' },
  { name: 'test_prompt_with_arguments', description: 'Takes two', arguments: [argument('arg1'), argument('arg2')] },
  { name: 'test_prompt_with_embedded_resource', description: 'Embeds', arguments: [argument('resourceUri')] },
  { name: 'test_prompt_with_image', description: 'Shows' },
  { name: 'test_input_required_result_prompt', description: 'Asks first, where the protocol has rounds' },
];

export function getPrompt(name: string, given: Record<string, string> = {}) {
  const contents = {
    test_simple_prompt: [text('This is a simple prompt for testing.')],
    test_prompt_with_arguments: [text(`arg1 is '${given.arg1}', arg2 is '${given.arg2}'`)],
    test_prompt_with_embedded_resource: [embedded(given.resourceUri ?? '', 'Embedded'), text('Look above.')],
    test_prompt_with_image: [image, text('Look above.')],
    test_input_required_result_prompt: [text('Use this context.')],
  }[name];
  return contents && { messages: contents.map((content) => ({ role: 'user' as const, content })) };
}
