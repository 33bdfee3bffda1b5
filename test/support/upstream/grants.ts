import type { MemoryKv } from './kv.ts';

export interface LiveGrant {
  id: string;
  userId: string;
  clientId: string;
  /** Seconds since the epoch. */
  createdAt: number;
  /** Seconds since the epoch; absent while the code is not redeemed. */
  expiresAt?: number;
  /** Its authorization code was exchanged. */
  redeemed: boolean;
  workspace: { workspace_id: string; workspace_name: string };
}

/** The library's record of a grant, as far as it is read here. */
interface StoredGrant {
  id: string;
  userId: string;
  clientId: string;
  createdAt: number;
  expiresAt?: number;
  authCodeWrappedKey?: string;
  metadata: LiveGrant['workspace'];
}

/** Looks into, and takes away from, what the library keeps in its KV: `client:`, `grant:` and `token:` records. */
export class Grants {
  readonly #kv: MemoryKv;

  constructor(kv: MemoryKv) {
    this.#kv = kv;
  }

  async list(): Promise<LiveGrant[]> {
    const grants = await Promise.all(this.#kv.names('grant:').map((name) => this.#read(name)));
    return grants.filter((grant) => grant !== undefined);
  }

  /** The grant that a token or code of the form `user:grant:secret` belongs to. */
  async of(token: string): Promise<LiveGrant | undefined> {
    const [userId, id] = token.split(':');
    return this.#read(`grant:${userId}:${id}`);
  }

  async revoke(grant: LiveGrant): Promise<void> {
    await this.#deleteAll(this.accessTokens(grant));
    await this.#kv.delete(`grant:${grant.userId}:${grant.id}`);
  }

  /** KV names of a grant's live access tokens, or of all. */
  accessTokens(grant?: LiveGrant): string[] {
    return this.#kv.names(grant ? `token:${grant.userId}:${grant.id}:` : 'token:');
  }

  async endAccessTokens(names: string[]): Promise<number> {
    return this.#deleteAll(names);
  }

  async deleteClients(): Promise<number> {
    return this.#deleteAll(this.#kv.names('client:'));
  }

  async #read(name: string): Promise<LiveGrant | undefined> {
    const stored = (await this.#kv.get(name, 'json')) as StoredGrant | null;
    if (!stored) return undefined;
    const { id, userId, clientId, createdAt, expiresAt } = stored;
    const redeemed = stored.authCodeWrappedKey === undefined;
    const lifetime = expiresAt === undefined ? {} : { expiresAt };
    return { id, userId, clientId, createdAt, ...lifetime, redeemed, workspace: stored.metadata };
  }

  async #deleteAll(names: string[]): Promise<number> {
    await Promise.all(names.map((name) => this.#kv.delete(name)));
    return names.length;
  }
}
