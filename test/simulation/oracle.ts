import { createHash } from 'node:crypto';
import { fingerprint, type Grant } from '../../src/credentials/record.ts';
import { ownerPatience } from '../../src/credentials/refresh-plan.ts';
import { grantOf, type Issued, type Ledger, type Passage } from './ledger.ts';
import type { SimulatedServer } from './server.ts';

/** Why a grant ended although the person wanted it; `avoidable`: a perfect client would still have it. */
export interface Loss {
  why: string;
  avoidable: boolean;
}

/** Knows what the server knows, and so what a client could have known at best. */
export interface Oracle {
  /** Somebody else ended it, on purpose. */
  ended(grant: string, why: string): void;
  /** The server refused a refresh of this grant: if that ended it, this is the moment to know why. */
  refused(grant: string, passage: Passage): void;
  /** What was told of its end holds no longer: there was somebody to act on it. */
  survived(grant: string): void;
  /** A refresh token that would still save the grant, and that the client has or had; undefined when there is none. */
  rescue(grant: Grant): string | undefined;
  /** The client gave this grant up. */
  judge(grant: Grant): Loss;
}

interface StoredGrant {
  clientId: string;
  refreshTokenId?: string;
  previousRefreshTokenId?: string;
  /** Seconds since the epoch. */
  expiresAt?: number;
}

/** The library refuses a grant that has less left. */
const shortestLife = 60;

export function createOracle(server: SimulatedServer, ledger: Ledger, now: () => number): Oracle {
  const ends = new Map<string, Loss>();
  const isStrict = server.rotation === 'strict';

  const stored = (grant: string): StoredGrant | undefined => {
    const text = server.kv.peek(`grant:${grant}`);
    return text === undefined ? undefined : (JSON.parse(text) as StoredGrant);
  };

  const isTaken = (token: string): boolean => {
    const grant = stored(grantOf(token));
    if (!grant || server.kv.peek(`client:${grant.clientId}`) === undefined) return false;
    if (grant.expiresAt !== undefined && grant.expiresAt - now() / 1000 < shortestLife) return false;
    const id = createHash('sha256').update(token).digest('hex');
    if (id === grant.refreshTokenId) return true;
    return id === grant.previousRefreshTokenId && !isStrict;
  };

  const rescue: Oracle['rescue'] = (grant) => {
    const isRejected = (token: string) => grant.rejections.some((one) => one.fingerprint === fingerprint(token));
    const known = [grant.tokens.refresh_token, grant.alternate?.refresh_token, grant.previous];
    const inRecord = known.find((token) => token !== undefined && isTaken(token) && !isRejected(token));
    if (inRecord !== undefined) return `${fingerprint(inRecord)}, which the record holds`;
    const rejected = known.find((token) => token !== undefined && isTaken(token));
    if (rejected !== undefined) return `${fingerprint(rejected)}, which the record takes for rejected`;
    const id = stored(grantOf(grant.tokens.refresh_token ?? ''))?.refreshTokenId;
    const inHand = ledger.issued.find(
      (one) => one.fate === 'delivered' && !one.stored && one.to.isAlive() && one.id === id,
    );
    return inHand && `${inHand.refresh}, which ${inHand.to.name} has in its hands`;
  };

  /** Nobody can wait for ever for a process that stands still (product.md 6.2). */
  const isForsaken = (one: Issued) => !one.stored && one.to.longestStop(one.at) > ownerPatience - 5_000;

  /** What became of the answers that the client would have needed. */
  const fateOf = (one: Issued): Loss => {
    const dead = (why: string): Loss => {
      if (one.to.endedInTrouble())
        return { why: 'the disk took nothing until the process had to end', avoidable: false };
      return one.to.wasKilled()
        ? { why, avoidable: false }
        : { why: 'the process ended without its answer', avoidable: true };
    };
    switch (one.fate) {
      case 'lost':
        return { why: 'the answer was lost on the network', avoidable: false };
      case 'came too late':
        return { why: 'the answer took longer than the time limit of 60 s', avoidable: false };
      case 'under way':
      case 'waits':
        if (!one.to.isAlive()) return dead('the process was killed before it had read the answer');
        return { why: 'the process stood still with the answer unread', avoidable: !isForsaken(one) };
      case 'delivered':
        if (isForsaken(one)) return { why: 'the process stood still with the answer in its hands', avoidable: false };
        return one.to.isAlive() || one.stored
          ? { why: `the client had the answer (${one.refresh})`, avoidable: true }
          : dead('the process was killed before it could store the answer');
      case 'thrown away':
        return { why: 'the client threw the answer away', avoidable: true };
    }
  };

  const isOld = (grant: string) => {
    const first = ledger.issued.find((one) => one.grant === grant);
    return now() - Number(first?.at) >= (server.lifetimes.grant - 2 * shortestLife) * 1000;
  };

  const judge: Oracle['judge'] = (grant) => {
    const id = grantOf(grant.tokens.refresh_token ?? '');
    const saved = rescue(grant);
    if (saved !== undefined) return { why: `the server would still take ${saved}`, avoidable: true };
    const end = ends.get(id);
    if (end !== undefined) return end;
    const last = ledger.issued.findLast((one) => one.grant === id);
    if (!last) return { why: 'the server never knew it', avoidable: true };
    const atServer = stored(id);
    if (isOld(id)) return { why: 'the grant reached its age', avoidable: false };
    if (atServer && server.kv.peek(`client:${atServer.clientId}`) === undefined)
      return { why: 'the server deleted the registration', avoidable: false };
    if (last.refresh === fingerprint(grant.tokens.refresh_token ?? ''))
      return { why: 'the server ended it although its newest token is in the record', avoidable: true };
    return fateOf(last);
  };

  return {
    ended: (grant, why) => void ends.set(grant, { why, avoidable: false }),
    survived: (grant) => void ends.delete(grant),
    refused: (grant, { isUnderWay, fateOnArrival }) => {
      const last = ledger.issued.findLast((one) => one.grant === grant);
      if (!last || stored(grant) || ends.has(grant) || isOld(grant)) return;
      const late = { why: 'a request that had been given up arrived after all', avoidable: false };
      const isLate = !isUnderWay && fateOnArrival() !== 'thrown away';
      ends.set(grant, isLate ? late : fateOf(last));
    },
    rescue,
    judge,
  };
}
