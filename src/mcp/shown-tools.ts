import { BridgeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { isModern } from './eras.ts';
import { itemsOf, replaced, type Span, spanOf, textAt } from './json-text.ts';
import type { WholeList } from './list-cache.ts';
import { lineOf, type Message, type RawMessage, type Request } from './messages.ts';
import { faultOf, type Tool } from './mirrored-headers.ts';

/** What the user wants to be there for the client. */
export interface ToolChoice {
  /** `--read-only` */
  readOnly: boolean;
  /** `--hide-tool` */
  hideTools: readonly string[];
}

/** A tool as it was listed, with what it says of itself. */
export interface ListedTool extends Tool {
  annotations?: Record<string, unknown>;
}

/** Decides on the way to the client which tools are there for it; what is cached is what upstream said. */
export interface ShownTools {
  /** The answer to a request, without tools that are not shown; all else keeps its bytes (P9). */
  answer(request: Request, answer: RawMessage): string | Buffer;
  /** The same for a list of our own. */
  list(request: Request, list: WholeList): WholeList;
  /** `tool`: as it was listed last. @throws BridgeError TOOL_HIDDEN */
  mayCall(name: unknown, tool: ListedTool | undefined): void;
}

export function createShownTools({ readOnly, hideTools }: ToolChoice, log: Log): ShownTools {
  const told = new Set<unknown>();

  /** The option that hides a tool, and why. */
  const hiddenBy = (name: unknown, tool: ListedTool | undefined) => {
    const glob = hideTools.find((pattern) => matchesGlob(String(name), pattern));
    if (glob !== undefined) return { option: `--hide-tool ${glob}`, variable: 'NOTION_MCP_BRIDGE_HIDE_TOOL' };
    if (!readOnly || tool?.annotations?.readOnlyHint === true) return undefined;
    const why = tool ? 'the server does not call it read-only' : 'nothing is known of it; listing the tools may help';
    return { option: '--read-only', variable: 'NOTION_MCP_BRIDGE_READ_ONLY', why };
  };

  /** Annotations that mean nothing (2026-07-28, Schema Extension). */
  const isFaulty = (tool: ListedTool) => {
    const fault = faultOf(tool);
    if (fault !== undefined && !told.has(tool.name))
      log.warn('a tool is not shown', { tool: String(tool.name), fault });
    if (fault !== undefined) told.add(tool.name);
    return fault !== undefined;
  };

  const isShown = (request: Request) => (listed: ListedTool | null) => {
    const tool = listed ?? {};
    return hiddenBy(tool.name, tool) === undefined && !(isModern(request) && isFaulty(tool));
  };

  const list: ShownTools['list'] = (request, whole) => {
    const tools = toolsIn(request, { result: whole });
    return tools ? { ...whole, tools: tools.filter(isShown(request)) } : whole;
  };

  const answer: ShownTools['answer'] = (request, incoming) => {
    const shown = toolsIn(request, incoming.message)?.map(isShown(request));
    if (!shown || shown.every(Boolean)) return lineOf(incoming);
    const { raw } = incoming;
    const all = spanOf(raw, 'result', 'tools') as Span;
    const kept = itemsOf(raw, all.start).filter((_tool, nth) => shown[nth]);
    return replaced(raw, all, `[${kept.map((tool) => textAt(raw, tool)).join(',')}]`);
  };

  const mayCall: ShownTools['mayCall'] = (name, tool) => {
    const hidden = hiddenBy(name, tool);
    if (!hidden) return;
    const { option, variable, why } = hidden;
    throw new BridgeError('TOOL_HIDDEN', `${name} is hidden by ${option}${why === undefined ? '' : ` (${why})`}`, {
      hint: `work without it, or ask the user to take \`${option}\` (or ${variable}) out of this app's configuration and restart the app`,
    });
  };

  return { answer, list, mayCall };
}

function toolsIn({ method }: Request, answer: Pick<Message, 'result'>): (ListedTool | null)[] | undefined {
  if (method !== 'tools/list') return undefined;
  const tools = answer.result?.tools;
  return Array.isArray(tools) ? tools : undefined;
}

/**
 * `*` stands for any text and `?` for one character; everything else for itself. A matcher for paths would stop at a `/`
 * or a leading dot, and find more signs in a glob. A regular expression would take ages for a name that a server makes up.
 */
export function matchesGlob(name: string, glob: string): boolean {
  const characters = [...name];
  const signs = [...glob];
  let at = 0;
  let sign = 0;
  /** Where the last star is, and how far the text that it stands for reaches. */
  let star = -1;
  let reach = 0;
  while (at < characters.length) {
    if (signs[sign] === '*') {
      star = sign++;
      reach = at;
    } else if (sign < signs.length && (signs[sign] === '?' || signs[sign] === characters[at])) {
      sign += 1;
      at += 1;
    } else if (star !== -1) {
      sign = star + 1;
      at = ++reach;
    } else {
      return false;
    }
  }
  return signs.slice(sign).every((rest) => rest === '*');
}
