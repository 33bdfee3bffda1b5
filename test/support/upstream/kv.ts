import type { Clock } from './clock.ts';

interface Entry {
  value: string;
  metadata: unknown;
  expiresAt: number;
}

interface PutOptions {
  /** Seconds from now. */
  expirationTtl?: number;
  /** Seconds since the epoch. */
  expiration?: number;
  metadata?: unknown;
}

interface ListOptions {
  prefix?: string;
  limit?: number;
  cursor?: string | undefined;
}

export interface ListedKey {
  name: string;
  metadata?: unknown;
}

export type ListResult =
  | { keys: ListedKey[]; list_complete: true }
  | { keys: ListedKey[]; list_complete: false; cursor: string };

/** The part of a Workers KV namespace that the library uses, in memory and by the upstream's clock. */
export class MemoryKv {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get(key: string, type?: 'text' | 'json' | { type?: 'text' | 'json' }): Promise<unknown> {
    const entry = this.#live(key);
    if (!entry) return null;
    const format = typeof type === 'object' ? type.type : type;
    return format === 'json' ? JSON.parse(entry.value) : entry.value;
  }

  /** The text under a key, without waiting. */
  peek(key: string): string | undefined {
    return this.#live(key)?.value;
  }

  async put(key: string, value: string, options: PutOptions = {}): Promise<void> {
    this.#entries.set(key, { value, metadata: options.metadata, expiresAt: this.#expiry(options) });
  }

  async delete(key: string): Promise<void> {
    this.#entries.delete(key);
  }

  async list({ prefix = '', limit = 1000, cursor = '' }: ListOptions = {}): Promise<ListResult> {
    const names = [...this.#entries.keys()].filter((name) => name.startsWith(prefix) && name > cursor);
    const live = names.filter((name) => this.#live(name)).sort();
    const keys = live.slice(0, limit).map((name) => this.#listed(name));
    const last = keys.at(-1);
    if (live.length <= limit || !last) return { keys, list_complete: true };
    return { keys, list_complete: false, cursor: last.name };
  }

  /** Every live key with this prefix, past any page limit. */
  names(prefix: string): string[] {
    return [...this.#entries.keys()].filter((name) => name.startsWith(prefix) && this.#live(name)).sort();
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry && entry.expiresAt <= this.#clock.now()) this.#entries.delete(key);
    return this.#entries.get(key);
  }

  #listed(name: string): ListedKey {
    const metadata = this.#entries.get(name)?.metadata;
    return metadata === undefined ? { name } : { name, metadata };
  }

  #expiry({ expiration, expirationTtl }: PutOptions): number {
    if (expiration !== undefined) return expiration * 1000;
    return expirationTtl === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() + expirationTtl * 1000;
  }
}
