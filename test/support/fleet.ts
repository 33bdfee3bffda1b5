import { setTimeout as sleep } from 'node:timers/promises';
import type { Owner } from '../../src/credentials/owner.ts';
import type { ConnectionRecord } from '../../src/credentials/record.ts';
import { type Answer, type Excuse, Ledger } from './fleet-ledger.ts';
import { Member } from './fleet-member.ts';
import { type FleetServer, type Make, openFleetServer } from './fleet-server.ts';
import { openHome, type TemporaryHome } from './spawn-client.ts';
import { ageTokens, changeRecord, expireTokens, waitForRecord } from './stored-record.ts';
import type { Fault } from './upstream/faults.ts';
import type { UpstreamOptions } from './upstream/upstream.ts';

export interface CallOptions {
  /** What may come instead of the result. */
  may?: readonly Excuse[];
  /** ms, with time to spare for a busy machine. */
  bound?: number;
  /** Calls a tool that makes a page, instead of one that reads. */
  change?: boolean;
}

/** A refresh that the token endpoint holds, and the calls that wait for it. */
export interface RefreshUnderWay {
  sender: Member;
  /** As the record names it. */
  owner: Owner;
  calls: Promise<Answer[]>;
  release(): void;
}

export const fleetSize = 6;
export const refresh = { endpoint: 'token', grantType: 'refresh_token' } as const;

/** What waits for us is answered after 30 s at the latest (product.md 4); the rest is for a busy machine. */
const ownBound = 30_000 + 10_000;
/** A call that opens the tab of a reconnect prepares the sign-in for up to 30 s, and waits for the person for 10 s. */
export const linkBound = 30_000 + 10_000;
const rhythm = 150;

/** Six spawned bridges on one home, one server, and the count of everything that was promised (product.md 2). */
export class Fleet {
  readonly ledger = new Ledger();
  readonly #spawned: Member[] = [];
  readonly #broken: string[] = [];
  readonly #atEnd: (() => void)[] = [];
  #expiries = 0;
  #tokenFaults = 0;

  readonly make: Make;
  readonly server: FleetServer;
  readonly home: TemporaryHome;
  readonly #expiresIn: number | undefined;

  private constructor(make: Make, server: FleetServer, home: TemporaryHome, { expiresIn }: UpstreamOptions) {
    // Tokens that live longer are due later than after half of their life, and would be counted wrongly below.
    if (expiresIn && expiresIn > 7) throw new Error('a fleet counts tokens of at most 7 s only');
    this.make = make;
    this.server = server;
    this.home = home;
    this.#expiresIn = expiresIn ?? undefined;
  }

  static async open(make: Make, options: UpstreamOptions = {}): Promise<Fleet> {
    return new Fleet(make, await openFleetServer(make, options), await openHome('ignores'), options);
  }

  /** Those that were not killed. */
  get members(): Member[] {
    return this.#spawned.filter(({ state }) => state !== 'killed');
  }

  async spawn(count = fleetSize): Promise<Member[]> {
    const { home, server } = this;
    const spawned = await Promise.all(Array.from({ length: count }, () => Member.spawn({ home, url: server.url })));
    this.#spawned.push(...spawned);
    return spawned;
  }

  /** All spawned ones leave as their clients leave. */
  async leave(): Promise<void> {
    await Promise.all(this.#spawned.splice(0).map((member) => member.leave()));
  }

  async call(member: Member, { may = [], bound = ownBound, change = false }: CallOptions = {}): Promise<Answer> {
    const nth = this.ledger.begin();
    const writes = change ? `page ${nth}` : undefined;
    const began = member.awake;
    const answer = await member.call(writes);
    this.ledger.end({ by: member.name, writes, answer, took: member.awake - began, bound, may });
    return answer === 'lost' ? { text: 'its process was killed', isError: true } : answer;
  }

  /** One call of each, all at once. */
  everybody(options: CallOptions = {}): Promise<Answer[]> {
    return Promise.all(this.members.map((member) => this.call(member, options)));
  }

  /** Each member calls, one call after the other, every fourth of them a change, until `work` is done. */
  async steadily<T>(work: () => Promise<T>, options: CallOptions = {}): Promise<T> {
    let over = false;
    const loops = this.members.map(async (member) => {
      for (let round = 1; !over && member.state !== 'killed'; round += 1) {
        await this.call(member, { change: round % 4 === 0, ...options });
        // The rhythm of a client that is used, so that six of them leave the machine something to do the rest with.
        await sleep(rhythm);
      }
    });
    try {
      return await work();
    } finally {
      over = true;
      await Promise.all(loops);
    }
  }

  /** The access token ends: as `expires_in` told, or without a word. Only while no steady calls run may the record be touched. */
  async expire(how: 'announced' | 'unannounced'): Promise<void> {
    this.#expiries += 1;
    if (how === 'announced') return expireTokens(this.home);
    await ageTokens(this.home);
    await this.server.expireAccessTokens();
  }

  /** The access token ends without a word, while the fleet works. */
  async endAccessTokens(): Promise<void> {
    this.#expiries += 1;
    await this.server.expireAccessTokens();
  }

  /** The access token is due, and still works. Only while no steady calls run. */
  async age(): Promise<void> {
    this.#expiries += 1;
    await changeRecord(this.home, ({ grant }) => {
      if (!grant) return;
      grant.tokens.issuedAt = Date.now() - 3_500_000;
      grant.tokens.expiresAt = Date.now() + 100_000;
    });
  }

  /** The grant ends at the server, and its access token with it. */
  async revokeGrants(): Promise<void> {
    this.#expiries += 1;
    await this.server.revokeGrants();
  }

  /** The next refreshes meet this fault. */
  tokenFault(fault: Fault, times = 1): void {
    this.#tokenFaults += times;
    this.server.faults.next('token', fault, { when: refresh, times });
  }

  /** Everybody calls with an expired token; the refresh of one has arrived, and was handled or not, but not answered. */
  async refreshUnderWay(at: { handled: boolean; may?: readonly Excuse[] }): Promise<RefreshUnderWay> {
    await this.expire('announced');
    const gate = this.server.faults.hold('token', { when: refresh, handled: at.handled });
    const calls = this.everybody({ may: at.may ?? [] });
    await gate.arrived;
    const owner = (await this.home.record())?.refreshUnderWay?.owner;
    if (!owner) throw new Error('a refresh was sent that the record does not tell of');
    return { sender: this.#memberOf(owner), owner, calls, release: gate.release };
  }

  /** The member that hosts the pending sign-in. */
  async hostOfSignIn(): Promise<Member> {
    return this.#memberOf((await this.home.record())?.pendingSignIn?.owner);
  }

  /** Resolves once the record is as wanted. */
  recordWith(isWanted: (record: ConnectionRecord) => boolean): Promise<ConnectionRecord> {
    return waitForRecord(this.home, isWanted);
  }

  #memberOf(owner: Owner | undefined): Member {
    const member = this.members.find(({ pid }) => pid === owner?.pid);
    if (!member) throw new Error(`process ${owner?.pid} is no member of the fleet`);
    return member;
  }

  /** kill -9 while its refresh is under way, which goes down with it and is made up for by another. */
  async killRefreshing(member: Member): Promise<void> {
    this.#tokenFaults += 1;
    await member.kill();
  }

  async stop(members: Member[]): Promise<void> {
    await Promise.all(members.map((member) => member.stop()));
  }

  wake(members: Member[]): void {
    for (const member of members) member.wake();
  }

  /** The person says yes in the n-th tab. */
  async approve(nth: number): Promise<void> {
    const { url } = await this.home.browser.tab(nth);
    this.demand('the page says that the person is connected', (await this.server.approve(url)).includes('Connected'));
  }

  /** A promise of this scenario alone. */
  demand(promise: string, isKept: boolean): void {
    if (!isKept) this.#broken.push(`not so: ${promise}`);
  }

  counts() {
    return {
      calls: this.ledger.calls,
      told: this.ledger.told,
      failed: this.ledger.failures().length,
      tabs: this.home.browser.tabs.length,
      refreshes: this.server.count(refresh),
      expiries: this.#expiries + this.#lapsed(),
      tokenFaults: this.#tokenFaults,
    };
  }

  /** What was promised and did not hold, in sentences. */
  broken(): string[] {
    const tabs = this.home.browser.tabs.map(({ url }) => url);
    const strange = this.ledger.links().filter((link) => !tabs.includes(link));
    return [
      ...this.#broken,
      ...this.ledger.failures(),
      ...this.ledger.wrongChanges(this.server.workspace.pages),
      ...strange.map((link) => `a call was answered with a link that no tab shows: ${link}`),
      ...this.server.unused().map((fault) => `the scenario did not happen: ${fault}`),
    ];
  }

  /** Runs once everybody has left. */
  atEnd(work: () => void): void {
    this.#atEnd.push(work);
  }

  async close(): Promise<void> {
    this.wake(this.members.filter(({ state }) => state === 'stopped'));
    this.server.faults.releaseAll();
    await this.leave();
    for (const work of this.#atEnd) work();
    await this.server[Symbol.asyncDispose]();
    await this.home.remove();
  }

  /**
   * Tokens so short-lived that they are due after half of their life, counted from when they were asked for (product.md
   * 6.1): those that were renewed no sooner, as far as the times of arrival tell.
   */
  #lapsed(): number {
    const due = (this.#expiresIn ?? Number.POSITIVE_INFINITY) * 250;
    const issued = this.server.requests.filter(({ endpoint, status }) => endpoint === 'token' && status === 200);
    return issued.filter(({ at }, nth) => nth > 0 && at - (issued[nth - 1]?.at ?? 0) >= due).length;
  }
}
