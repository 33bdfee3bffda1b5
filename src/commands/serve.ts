import { runBridge } from '../bridge.ts';
import type { Command } from './command.ts';
import { explain } from './help.ts';

/** The stdio server. On a terminal nobody speaks MCP, so it explains itself instead (product.md 10). */
export const serve: Command = async (context) => {
  if (context.isTerminal.input) return explain(context);
  await runBridge(context, context.stdio, context.stop);
  return 0;
};
