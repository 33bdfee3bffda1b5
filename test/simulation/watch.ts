import { type ConnectionRecord, fingerprint, type Grant } from '../../src/credentials/record.ts';
import { grantOf, type Issued, type Ledger, type Onlooker, type Passage } from './ledger.ts';
import type { Oracle } from './oracle.ts';
import type { SimulatedProcess } from './process.ts';
import type { SimulatedServer } from './server.ts';
import type { Story } from './story.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface Figures {
  refreshes: number;
  /** Access tokens that had ended, or were about to, when their refresh token was first presented. */
  expiries: number;
  /** Those that had time left. */
  ahead: number;
  tabs: number;
  calls: number;
  answered: number;
  deadTokensSent: number;
  /** Refresh requests that met one of a process that stood still: nobody can call such a request back. */
  metAStopped: number;
  lossesByWhy: Record<string, number>;
  avoidable: number;
  /** How often the moments came that the simulation is made for: where none came, nothing was shown. */
  passed: Record<string, number>;
}

export interface RecordWrite {
  after: ConnectionRecord;
  before: ConnectionRecord | undefined;
  by: SimulatedProcess;
}

/** Looks on, and notes each broken promise (product.md 2). */
export interface Watch extends Onlooker {
  readonly figures: Figures;
  readonly violations: string[];
  written(write: RecordWrite): void;
  passes(moment: string): void;
  /** A bridge opens a tab, by itself or because the person asked it to. */
  tabOpens(record: ConnectionRecord, by: SimulatedProcess, isAsked: boolean): void;
  /** Nothing happens any more. */
  end(): void;
  broken(promise: string): void;
}

interface WatchParts {
  story: Story;
  time: VirtualTime;
  /** Changes whenever the machine falls asleep; undefined while the disk refuses. */
  trouble: () => string | undefined;
  server: SimulatedServer;
  /** The server still takes its access token. */
  isCovered: (one: Issued) => boolean;
  isClockRight: () => boolean;
  wall: () => number;
  ledger: () => Ledger;
  oracle: () => Oracle;
  record: () => ConnectionRecord | undefined;
}

const brandNew = 60_000;
/** What is refused to a request that left this long after the first refusal is known dead (product.md 6.4). */
const brandNewWait = 1_000;
const longestMargin = 660_000;
const almostADay = 20 * 3_600_000;
/** A thief of the lock may hold it across a refresh of its own. */
const longestStoring = 90_000;

export function createWatch(parts: WatchParts): Watch {
  const { time, server, isCovered, isClockRight, trouble, story, wall, ledger, oracle, record } = parts;
  const violations: string[] = [];
  const needs = new Set<string>();
  const lost = new Set<string>();
  /** What each process was told of access tokens: when they were refused to it first, and how often. */
  const refusals = new Map<string, { at: number; youngAtFirst: boolean; refusedAgain: boolean }>();
  const presented = new Set<string>();
  const figures: Figures = {
    refreshes: 0,
    expiries: 0,
    tabs: 0,
    calls: 0,
    answered: 0,
    deadTokensSent: 0,
    metAStopped: 0,
    lossesByWhy: {},
    avoidable: 0,
    ahead: 0,
    passed: {},
  };

  const broken = (promise: string) => {
    violations.push(promise);
    story.tell('WATCH', `BROKEN: ${promise}`);
  };

  const passes = (moment: string) => {
    figures.passed[moment] = (figures.passed[moment] ?? 0) + 1;
  };

  const isLogout = ({ name }: SimulatedProcess) => name.startsWith('logout');

  const isRejected = (token: string) =>
    record()?.grant?.rejections.some(({ fingerprint: name }) => name === token) ?? false;

  const leaves = (passage: Passage) => {
    const known = passage.access && refusals.get(`${passage.process.pid} ${passage.access}`);
    if (known && (!known.youngAtFirst || known.refusedAgain)) {
      figures.deadTokensSent += 1;
      broken(`${passage.process.name} sends the access token ${passage.access}, which was refused to it`);
    }
    if (passage.refresh && isRejected(passage.refresh)) {
      figures.deadTokensSent += 1;
      broken(`${passage.process.name} presents ${passage.refresh}, which the record knows as rejected`);
    }
  };

  const sent = (passage: Passage) => {
    if (passage.refresh === undefined) return;
    figures.refreshes += 1;
    if (!presented.has(passage.refresh)) {
      if (isNeeded(passage.refresh)) figures.expiries += 1;
      else figures.ahead += 1;
    }
    presented.add(passage.refresh);
    story.tell(passage.process.name, `presents ${passage.refresh}`);
    const others = [...ledger().passages].filter((other) => other !== passage && other.grant === passage.grant);
    const running = others.find((other) => other.process.isRunning());
    if (running) broken(`${passage.process.name} and ${running.process.name} have a refresh under way at once (P3)`);
    else if (others.length > 0) figures.metAStopped += 1;
  };

  /** By the server's clock; a client whose own is wrong cannot know. */
  const isNeeded = (refresh: string): boolean => {
    const one = ledger().issued.find((other) => other.refresh === refresh);
    if (!one || !isClockRight()) return true;
    const age = time.now() - one.at;
    const isEnding = server.lifetimes.accessToken * 1_000 - age < longestMargin;
    return isEnding || !isCovered(one) || age > almostADay;
  };

  const handled: Watch['handled'] = (passage, entry) => {
    const { issued, refresh, status } = passage;
    if (entry.endpoint === 'revoke') revoked(passage, grantOf(entry.form?.token ?? ''));
    if (passage.endpoint !== 'token') return;
    const presented = refresh && ledger().issued.find((one) => one.refresh === refresh);
    if (presented && presented.clientId !== entry.clientId)
      broken(`${refresh} was issued to ${presented.clientId} and presented by ${entry.clientId} (P2)`);
    if (passage.grant !== undefined && status === 400) oracle().refused(passage.grant, passage);
    story.tell('server', `answers ${status}${issued ? `, issues ${issued.refresh}` : ''}`);
  };

  const revoked = ({ process }: Passage, grant: string) => {
    const isOurs = grantOf(record()?.grant?.tokens.refresh_token ?? '') === grant;
    if (isOurs && !isLogout(process)) broken(`${process.name} revoked the grant that the record holds (P1)`);
    oracle().ended(grant, 'it was revoked by us');
  };

  /** Nothing keeps it from the disk for that long, unless the disk does, or its process stood still (P4). */
  const wantStored = (one: Issued) => {
    const before = trouble();
    time.at(time.now() + longestStoring, () => {
      const isQuiet = before !== undefined && trouble() === before && one.to.stops() === stopsBefore;
      if (isSuperseded(one)) return;
      if (isQuiet && !one.stored && one.to.isRunning() && one.fate === 'delivered')
        broken(`${one.to.name} has had ${one.refresh} for a long time and not stored it (P4)`);
    });
    const stopsBefore = one.to.stops();
  };

  const delivered = (passage: Passage) => {
    if (passage.issued && passage.status === 200) wantStored(passage.issued);
    if (passage.access === undefined || passage.status !== 401) return;
    story.tell(passage.process.name, `is told that ${passage.access} is refused`);
    const name = `${passage.process.pid} ${passage.access}`;
    const tokens = record()?.grant?.tokens;
    // When it was sent, by the clock of the machine, which may be wrong: nobody there knows better.
    const sentAt = wall() - (time.now() - passage.leftAt);
    const age = tokens && fingerprint(tokens.access_token) === passage.access ? sentAt - tokens.issuedAt : undefined;
    const youngAtFirst = age !== undefined && age >= 0 && age < brandNew;
    const known = refusals.get(name) ?? { at: time.now(), youngAtFirst, refusedAgain: false };
    const refusedAgain = known.refusedAgain || passage.leftAt >= known.at + brandNewWait;
    refusals.set(name, { ...known, refusedAgain });
  };

  const written: Watch['written'] = ({ after, before, by }) => {
    ledger().isWritten(after);
    if (!before) return;
    notePassing(after, before, by);
    if (after.generation < before.generation) broken(`the record went back to generation ${after.generation} (P4)`);
    const [older, newer] = [before, after].map(({ grant }) => ledger().issuedAs(grant?.tokens.refresh_token));
    const isOlder =
      older && newer && (older.grant === newer.grant ? newer.index < older.index : began(newer) < began(older));
    if (isOlder) broken(`${newer.refresh} was written over the newer ${older.refresh} (P4)`);
    if (before.state !== 'connected' || !before.grant || isLogout(by)) return;
    const isSame = newer?.grant === older?.grant;
    if (after.state === 'connected' && isSame) return;
    // A sign-in wins over what it replaces; nothing else may take a grant out of the record.
    if (after.state === 'connected' && newer && newer.from === undefined) return;
    if (!after.grant) broken(`${by.name} deleted the credentials (P4)`);
    lose(before.grant);
  };

  /** A sign-in wins over a refresh of the grant that it replaces: between grants it is the approvals that count. */
  const began = ({ grant }: Issued) => ledger().issued.findIndex((one) => one.grant === grant);

  const isSuperseded = (one: Issued) =>
    one.from === undefined && ledger().issued.some((other) => other.stored && began(other) > one.index);

  const notePassing = (after: ConnectionRecord, before: ConnectionRecord, by: SimulatedProcess) => {
    const [was, is] = [before.pendingSignIn, after.pendingSignIn];
    if (after.grant?.alternate && after.grant.alternate.at !== before.grant?.alternate?.at)
      passes('answers that came too late and were kept');
    if (was?.prepared && is?.prepared && is.id === was.id && is.prepared.port !== was.prepared.port)
      broken(`the sign-in ${is.id} moved to another port (P5)`);
    if (was && is?.id === was.id && is.owner.nonce !== was.owner.nonce && was.owner.pid !== by.pid)
      passes(was.redeeming ? 'sign-ins taken over while a code was redeemed' : 'sign-ins taken over');
  };

  const stored: Watch['stored'] = ({ arrivedAt = 0, deliveredAt = 0 }) => {
    if (time.now() - deliveredAt > 1_000) passes('answers that the disk did not take at once');
    if (deliveredAt - arrivedAt > 60_000) passes('answers that waited for longer than a minute to be read');
  };

  const lose = (grant: Grant) => {
    const id = grantOf(grant.tokens.refresh_token ?? '');
    // An answer that comes home late may raise a grant from the dead, which is given up again.
    if (lost.has(id)) return;
    lost.add(id);
    const { why, avoidable } = oracle().judge(grant);
    const kind = why.replace(/ \(?[0-9a-f]{12}\)?/, '');
    figures.lossesByWhy[kind] = (figures.lossesByWhy[kind] ?? 0) + 1;
    story.tell('WATCH', `the grant was given up: ${why}`);
    if (!avoidable) return;
    figures.avoidable += 1;
    broken(`the grant was lost although ${why} (P1)`);
  };

  const tabOpens: Watch['tabOpens'] = ({ pendingSignIn, grant }, by, isAsked) => {
    figures.tabs += 1;
    const need = pendingSignIn?.need ?? 'none';
    story.tell(by.name, `opens a tab for the need "${need}"`);
    // A sign-in that has just ended has no need any more.
    if (isAsked || !pendingSignIn) return;
    if (needs.has(need)) broken(`a second tab opened by itself for the need "${need}" (P5)`);
    needs.add(need);
    const rescue = need.startsWith('dead') && grant && oracle().rescue(grant);
    if (rescue) broken(`a tab opened although the server would still take ${rescue} (P1)`);
  };

  const end = () => {
    for (const one of ledger().issued) {
      if (one.fate === 'thrown away') broken(`${one.to.name} threw ${one.refresh} away (P4)`);
      // What comes home after a newer sign-in is given back.
      if (isSuperseded(one)) continue;
      if (one.fate !== 'delivered' || one.stored || one.to.wasKilled() || one.to.endedInTrouble()) continue;
      broken(`${one.to.name} was given ${one.refresh}, and never stored it (P4)`);
    }
  };

  return {
    figures,
    violations,
    leaves,
    sent,
    handled,
    delivered,
    written,
    stored,
    passes,
    tabOpens,
    end,
    broken,
  };
}
