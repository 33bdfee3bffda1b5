import { setTimeout as sleep } from 'node:timers/promises';
import { openRaw, type RawClient } from '../support/raw-peer.ts';
import { openHome, type TemporaryHome } from '../support/spawn-client.ts';
import { standStill } from '../support/stand-still.ts';
import { ageTokens, expireTokens, waitForRecord } from '../support/stored-record.ts';
import type { RequestEntry } from '../support/upstream/request-log.ts';
import { fetchOnce } from '../support/upstream/single-request.ts';
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts';
import type { Plan, Tool } from './plan.ts';

/** The built bridge, spawned, its client, and the real upstream with the faults in front of it. */
export class World {
  readonly upstream: Upstream;
  readonly home: TemporaryHome;
  readonly peer: RawClient;
  readonly #told: { at: number; what: string }[] = [];

  private constructor(upstream: Upstream, home: TemporaryHome) {
    this.upstream = upstream;
    this.home = home;
    this.peer = openRaw({ home, url: upstream.url });
  }

  /** Signed in, and the tools are known. */
  static async open({ mode, resumable }: Pick<Plan, 'mode' | 'resumable'>): Promise<World> {
    const world = new World(await startUpstream({ mode, resumable, testTools: true }), await openHome('approves'));
    try {
      world.tell(`a bridge (pid ${world.peer.pid}) at a ${mode} server${resumable ? ' with event ids' : ''}`);
      await world.#signIn();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  async #signIn(): Promise<void> {
    await this.peer.hello();
    await this.peer.call('read', { key: 'first' });
    const { result } = await this.peer.request('tools/list');
    const names = result.tools.map(({ name }: { name: string }) => name);
    if (!names.includes('write')) throw new Error(`the tools are not known: ${names}`);
  }

  tell(what: string): void {
    this.#told.push({ at: Date.now(), what });
  }

  /** What happened, the requests at the server included, line by line. */
  story(): string[] {
    const began = this.#told[0]?.at ?? 0;
    const moments = [
      ...this.#told,
      ...this.upstream.requests.map((entry) => ({ at: entry.at, what: arrivalOf(entry) })),
    ];
    return moments
      .sort((one, other) => one.at - other.at)
      .map(({ at, what }) => `${String(at - began).padStart(7)} ms  ${what}`);
  }

  /** Resolves once the bridge has read everything that was said to it before. */
  async read(): Promise<void> {
    await this.peer.request('ping');
  }

  /** Resolves once everything that the bridge had sent before has arrived. */
  async arrived(): Promise<void> {
    // Whatever is in the kernel already is read before this comes back.
    await fetchOnce(`${this.upstream.origin}/nothing`).catch(() => undefined);
  }

  arrivals(tool: Tool, key: string): number {
    return this.upstream.requests.filter((entry) => entry.tool === tool && keyOf(entry) === key).length;
  }

  executions(tool: Tool, key: string): number {
    return this.upstream.executions(`${tool} ${key}`);
  }

  /** The access token ends: as `expires_in` told, or without a word. */
  async expire(how: 'announced' | 'unannounced'): Promise<void> {
    // Nobody else may be about to write the record.
    await waitForRecord(this.home, ({ refreshUnderWay: mark }) => mark === undefined || mark.outcome !== undefined);
    if (how === 'announced') return expireTokens(this.home);
    await ageTokens(this.home);
    await this.upstream.expireAccessTokens();
  }

  /** SIGSTOP; resolves once it stands still. */
  stopBridge(): Promise<void> {
    return standStill(this.peer.pid);
  }

  wakeBridge(): void {
    this.peer.kill('SIGCONT');
  }

  /** Resolves at this moment after `since`, ms. */
  async until(moment: number, since: number): Promise<void> {
    await sleep(Math.max(0, since + moment - performance.now()));
  }

  async close(): Promise<void> {
    this.wakeBridge();
    this.upstream.faults.releaseAll();
    await this.peer.leave();
    await this.upstream[Symbol.asyncDispose]();
    await this.home.remove();
  }
}

/** The key that a call of a keyed tool has. */
export function keyOf({ json }: RequestEntry): string | undefined {
  return (json as { params?: { arguments?: { key?: string } } } | undefined)?.params?.arguments?.key;
}

function arrivalOf(entry: RequestEntry): string {
  const { method, path, rpc, tool, grantType, status, lost } = entry;
  const what = [method, path, rpc ?? grantType, tool, keyOf(entry)].filter((part) => part !== undefined).join(' ');
  return `        at the server: ${what} -> ${lost ? 'cut off' : (status ?? 'no answer')}`;
}
