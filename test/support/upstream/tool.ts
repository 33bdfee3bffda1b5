import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type { CallToolResult, ServerNotification, ServerRequest, Tool } from '@modelcontextprotocol/sdk/types.js';
import type { Workspace } from './workspace.ts';

type Arguments = Record<string, unknown>;

export interface CallContext {
  server: Server;
  workspace: Workspace;
  extra: RequestHandlerExtra<ServerRequest, ServerNotification>;
  /** Tells the subscribers of a resource, in every session. */
  resourceUpdated(uri: string): void;
  /** Adds the announced tool, or takes it away, and tells every session. */
  toggleAnnouncedTool(): boolean;
  counters: Counters;
}

export interface EmbeddedTool {
  definition: Tool;
  call(args: Arguments, context: CallContext): CallToolResult | Promise<CallToolResult>;
}

/** What the tools of one upstream did, for tests to compare with what was asked. */
export class Counters {
  readonly #executions = new Map<string, number>();
  #cancellations = 0;

  executed(tool: string): number {
    const count = this.executions(tool) + 1;
    this.#executions.set(tool, count);
    return count;
  }

  executions(tool: string): number {
    return this.#executions.get(tool) ?? 0;
  }

  cancelled(): void {
    this.#cancellations += 1;
  }

  get cancellations(): number {
    return this.#cancellations;
  }
}

/** Takes this long; false when the call was cancelled meanwhile. */
export async function rested(ms: number, { extra, counters }: CallContext): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: extra.signal });
    return true;
  } catch {
    counters.cancelled();
    return false;
  }
}

export function text(value: string): CallToolResult {
  return { content: [{ type: 'text', text: value }] };
}

export function json(value: object): CallToolResult {
  return text(JSON.stringify(value));
}

export function failure(code: string, message: string): CallToolResult {
  return { isError: true, ...json({ object: 'error', code, message }) };
}

/** An object schema all of whose members are required unless their name ends in `?`. */
export function schema(members: Record<string, object>): Tool['inputSchema'] {
  const names = Object.keys(members);
  const properties = Object.fromEntries(names.map((name) => [name.replace(/\?$/, ''), members[name] ?? {}]));
  return { type: 'object', properties, required: names.filter((name) => !name.endsWith('?')) };
}
