import type { Answer } from './fleet-ledger.ts';
import { connectBridge, type Home, type SpawnedBridge } from './spawn-client.ts';
import { standStill } from './stand-still.ts';

/** Longer than every stop: a client that gives up would hide what becomes of its call. */
const clientPatience = 300_000;

/** One of the bridges, as its client sees it. */
export class Member {
  readonly #bridge: SpawnedBridge;
  #state: 'running' | 'stopped' | 'killed' = 'running';
  #stoppedFor = 0;
  #stoppedSince = 0;

  private constructor(bridge: SpawnedBridge) {
    this.#bridge = bridge;
  }

  static async spawn(at: { home: Home; url: string }): Promise<Member> {
    return new Member(await connectBridge(at));
  }

  get pid(): number {
    return this.#bridge.pid;
  }

  get name(): string {
    return `bridge ${this.pid}`;
  }

  get state(): 'running' | 'stopped' | 'killed' {
    return this.#state;
  }

  /** Time as this process sees it, ms: none passes while it is stopped. */
  get awake(): number {
    return (this.#state === 'stopped' ? this.#stoppedSince : performance.now()) - this.#stoppedFor;
  }

  /** Makes a page with this title, or only reads; `lost` when the process is killed meanwhile. */
  async call(title: string | undefined): Promise<Answer | 'lost'> {
    if (this.#state === 'killed') throw new Error(`${this.name} was killed, and cannot be called`);
    const call =
      title === undefined
        ? { name: 'notion-search', arguments: { query: 'roadmap' } }
        : { name: 'notion-create-pages', arguments: { pages: [{ properties: { title } }] } };
    try {
      const result = await this.#bridge.client.callTool(call, undefined, { timeout: clientPatience });
      const content = result.content as { text?: string }[];
      return { text: content.map(({ text = '' }) => text).join('\n'), isError: result.isError === true };
    } catch (error) {
      return this.#is('killed') ? 'lost' : { text: `no answer: ${error}`, isError: true };
    }
  }

  /** kill -9. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#state === 'killed') throw new Error(`${this.name} was killed before`);
    this.#state = 'killed';
    const gone = new Promise<void>((resolve) => {
      this.#bridge.client.onclose = resolve;
    });
    process.kill(this.pid, 'SIGKILL');
    await gone;
  }

  /** SIGSTOP; resolves once it stands still. */
  async stop(): Promise<void> {
    if (this.#state !== 'running') throw new Error(`${this.name} is not running, and cannot be stopped`);
    const stopped = standStill(this.pid);
    this.#state = 'stopped';
    this.#stoppedSince = performance.now();
    await stopped;
  }

  wake(): void {
    if (this.#state !== 'stopped') throw new Error(`${this.name} is not stopped, and cannot be woken`);
    this.#stoppedFor += performance.now() - this.#stoppedSince;
    this.#state = 'running';
    process.kill(this.pid, 'SIGCONT');
  }

  /** Ends as its client ends. */
  leave(): Promise<void> {
    return this.#bridge.close();
  }

  #is(state: Member['state']): boolean {
    return this.#state === state;
  }
}
