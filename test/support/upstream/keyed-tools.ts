import type { ToolAnnotations } from '@modelcontextprotocol/sdk/types.js';
import { type EmbeddedTool, rested, schema, text } from './tool.ts';

/** Counts its executions for each key, so that a test knows what became of one call among many. */
function keyed(name: string, annotations: ToolAnnotations): EmbeddedTool {
  return {
    definition: {
      name,
      description: 'Returns how often it was executed with this key, this time included; takes ms milliseconds.',
      inputSchema: schema({ key: { type: 'string' }, 'ms?': { type: 'number' } }),
      annotations,
    },
    async call({ key, ms }, context) {
      const nth = context.counters.executed(`${name} ${key}`);
      if (ms !== undefined && !(await rested(Number(ms), context))) return text('cancelled');
      return text(String(nth));
    },
  };
}

/** One of each kind that product.md 8 tells apart. */
export const keyedTools: readonly EmbeddedTool[] = [
  keyed('write', { readOnlyHint: false, idempotentHint: false }),
  keyed('overwrite', { readOnlyHint: false, idempotentHint: true }),
  keyed('read', { readOnlyHint: true }),
];
