import { createHash } from 'node:crypto';

export type Endpoint = 'metadata' | 'register' | 'authorize' | 'token' | 'revoke' | 'mcp' | 'other';

/** One request as it arrived; `status` or `lost` is filled in when it is over. */
export interface RequestEntry {
  /** Wall-clock milliseconds. */
  at: number;
  endpoint: Endpoint;
  method: string;
  path: string;
  headers: Record<string, string>;
  form?: Record<string, string>;
  json?: unknown;
  clientId?: string;
  grantType?: string;
  /** JSON-RPC method, of a request or a notification. */
  rpc?: string;
  /** Tool name of a tools/call. */
  tool?: string;
  sessionId?: string;
  protocolVersion?: string;
  lastEventId?: string;
  /** `fingerprint()` of the bearer token. */
  accessToken?: string;
  status?: number;
  /** The connection was cut before a status was sent. */
  lost?: true;
}

type Matchable = 'endpoint' | 'method' | 'path' | 'clientId' | 'grantType' | 'rpc' | 'tool' | 'sessionId' | 'status';

/** Members that must be equal, or a predicate. */
export type RequestFilter = Partial<Pick<RequestEntry, Matchable>> | ((entry: RequestEntry) => boolean);

export interface WaitOptions {
  /** Wait for the n-th match since the upstream began, 1 by default. To await a *new* one: `count(filter) + 1`. */
  nth?: number;
  /** 'answered' (default): the status and headers were sent, or the request was lost on purpose. */
  stage?: 'arrived' | 'answered';
}

interface Wait {
  satisfied(): RequestEntry | undefined;
  resolve(entry: RequestEntry): void;
  reject(error: Error): void;
  title: string;
}

export class RequestLog {
  readonly entries: RequestEntry[] = [];
  #waits: Wait[] = [];

  arrived(entry: RequestEntry): void {
    this.entries.push(entry);
    this.#settle();
  }

  answered(entry: RequestEntry, status: number): void {
    entry.status = status;
    this.#settle();
  }

  lost(entry: RequestEntry): void {
    entry.lost = true;
    this.#settle();
  }

  matching(filter: RequestFilter): RequestEntry[] {
    return this.entries.filter(predicate(filter));
  }

  waitFor(filter: RequestFilter, { nth = 1, stage = 'answered' }: WaitOptions = {}): Promise<RequestEntry> {
    if (!(nth >= 1)) throw new RangeError(`could not wait for match number ${nth}`);
    const over = (entry: RequestEntry): boolean => stage === 'arrived' || entry.status !== undefined || !!entry.lost;
    const satisfied = (): RequestEntry | undefined => this.matching(filter).filter(over)[nth - 1];
    const title = `wait for ${describe(filter)}, match ${nth}, ${stage}`;
    const waiting = new Promise<RequestEntry>((resolve, reject) => {
      this.#waits.push({ satisfied, resolve, reject, title });
    });
    // An abandoned wait is reported by unmet() and by whoever awaits it, not as an unhandled rejection.
    waiting.catch(() => {});
    this.#settle();
    return waiting;
  }

  unmet(): string[] {
    return this.#waits.map((wait) => wait.title);
  }

  /** Rejects every wait that nothing can meet any more. */
  abandonWaits(): void {
    for (const wait of this.#waits.splice(0)) wait.reject(new Error(`the upstream stopped during: ${wait.title}`));
  }

  #settle(): void {
    this.#waits = this.#waits.filter((wait) => {
      const entry = wait.satisfied();
      if (entry) wait.resolve(entry);
      return !entry;
    });
  }
}

export function predicate(filter: RequestFilter): (entry: RequestEntry) => boolean {
  if (typeof filter === 'function') return filter;
  const members = Object.entries(filter) as [Matchable, unknown][];
  return (entry) => members.every(([name, value]) => entry[name] === value);
}

/** Short, stable and not the token. */
export function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 12);
}

function describe(filter: RequestFilter): string {
  return typeof filter === 'function' ? filter.toString() : JSON.stringify(filter);
}
