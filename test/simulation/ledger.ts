import { createHash } from 'node:crypto';
import { type ConnectionRecord, fingerprint } from '../../src/credentials/record.ts';
import { refreshTimeLimit } from '../../src/credentials/refresh-plan.ts';
import type { HttpRequest } from '../../src/http.ts';
import type { Endpoint, RequestEntry } from '../support/upstream/request-log.ts';
import type { SimulatedProcess } from './process.ts';
import type { Departure } from './server.ts';

/** What became of an answer with tokens. */
export type AnswerFate =
  | 'under way'
  /** It reached the machine; the process has yet to read it. */
  | 'waits'
  | 'delivered'
  /** The network, or somebody in front of the server, kept it. */
  | 'lost'
  /** The process had given up waiting when it came. */
  | 'came too late'
  /** The process gave up waiting when it was there already, or long before its time. */
  | 'thrown away';

export interface Issued {
  /** In order of issue, over all grants. */
  index: number;
  grant: string;
  clientId: string;
  /** Fingerprints. */
  refresh: string;
  access: string;
  /** What the server calls the refresh token. */
  id: string;
  /** Where the server keeps the access token. */
  accessKey: string;
  /** When it reached the machine, and when the process read it. */
  arrivedAt?: number;
  deliveredAt?: number;
  /** The refresh token that was presented for it; undefined when it came for a code. */
  from: string | undefined;
  to: SimulatedProcess;
  at: number;
  fate: AnswerFate;
  /** It was in the record at some time. */
  stored: boolean;
}

/** One exchange, as it goes on. */
export interface Passage {
  process: SimulatedProcess;
  sent(): void;
  arrived(): void;
  delivered(): void;
  lost(): void;
  /** `byItself`: the client did, and not the network. */
  gaveUp(byItself: boolean): void;
  /** What becomes of an answer that sets out now. */
  fateOnArrival(): AnswerFate;
  /** What it carried home, once the server has handled it. */
  issued?: Issued;
  status?: number;
  isUnderWay: boolean;
  readonly leftAt: number;
  endpoint: Endpoint;
  /** Fingerprints of what it presents. */
  refresh: string | undefined;
  access: string | undefined;
  grant: string | undefined;
}

/** Everything that was sent and issued, seen from above. */
export interface Ledger {
  readonly passages: Set<Passage>;
  readonly issued: Issued[];
  issuedAs(refreshToken: string | undefined): Issued | undefined;
  leaves(process: SimulatedProcess, endpoint: Endpoint, init: HttpRequest): Passage;
  handled(passage: Passage, handle: () => Promise<{ entry: RequestEntry; departure: Departure }>): Promise<Departure>;
  isWritten(record: ConnectionRecord): void;
}

export interface Onlooker {
  leaves(passage: Passage): void;
  sent(passage: Passage): void;
  handled(passage: Passage, entry: RequestEntry): void;
  delivered(passage: Passage): void;
  stored(one: Issued): void;
}

function idOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

export function grantOf(token: string): string {
  return token.split(':').slice(0, 2).join(':');
}

/** A refresh is waited for this long (product.md 6.2), less what timers may differ by. */
const patience = refreshTimeLimit - 1_000;

export function createLedger(now: () => number, onlooker: Onlooker): Ledger {
  const passages = new Set<Passage>();
  const issued: Issued[] = [];
  const byRefresh = new Map<string, Issued>();

  const leaves: Ledger['leaves'] = (process, endpoint, init) => {
    const form = endpoint === 'token' ? new URLSearchParams(init.body) : undefined;
    const refresh = form?.get('grant_type') === 'refresh_token' ? (form.get('refresh_token') ?? '') : undefined;
    const bearer = endpoint === 'mcp' ? init.headers.authorization?.replace(/^Bearer /, '') : undefined;
    const over = () => {
      passage.isUnderWay = false;
      passages.delete(passage);
    };
    const become = (fate: AnswerFate) => {
      if (passage.issued && passage.issued.fate !== 'lost') passage.issued.fate = fate;
    };
    let isImpatient = false;
    const passage: Passage = {
      process,
      endpoint,
      refresh: refresh && fingerprint(refresh),
      access: bearer && fingerprint(bearer),
      grant: refresh && grantOf(refresh),
      isUnderWay: false,
      leftAt: now(),
      sent: () => {
        passage.isUnderWay = true;
        passages.add(passage);
        onlooker.sent(passage);
      },
      arrived: () => {
        if (passage.issued?.fate !== 'under way') return;
        become('waits');
        passage.issued.arrivedAt = now();
      },
      delivered: () => {
        over();
        become('delivered');
        if (passage.issued) passage.issued.deliveredAt = now();
        onlooker.delivered(passage);
      },
      lost: () => become('lost'),
      gaveUp: (byItself) => {
        over();
        isImpatient = byItself && now() - passage.leftAt < patience;
        if (!byItself) become('lost');
        else become(passage.issued?.fate === 'waits' || isImpatient ? 'thrown away' : 'came too late');
      },
      fateOnArrival: () => {
        if (passage.isUnderWay || !process.isAlive()) return 'under way';
        return isImpatient ? 'thrown away' : 'came too late';
      },
    };
    process.onDeath(over);
    onlooker.leaves(passage);
    return passage;
  };

  const handled: Ledger['handled'] = async (passage, handle) => {
    const { entry, departure } = await handle();
    passage.status = departure.status;
    const isAnswer = passage.endpoint === 'token' && departure.status === 200 && departure.body !== '';
    const answer = isAnswer ? JSON.parse(departure.body) : undefined;
    if (typeof answer?.refresh_token === 'string') {
      const one: Issued = {
        index: issued.length,
        grant: grantOf(answer.refresh_token),
        clientId: entry.clientId ?? '',
        refresh: fingerprint(answer.refresh_token),
        access: fingerprint(answer.access_token),
        id: idOf(answer.refresh_token),
        accessKey: `token:${grantOf(answer.access_token)}:${idOf(answer.access_token)}`,
        from: passage.refresh,
        to: passage.process,
        at: now(),
        fate: passage.fateOnArrival(),
        stored: false,
      };
      passage.issued = one;
      issued.push(one);
      byRefresh.set(one.refresh, one);
    }
    onlooker.handled(passage, entry);
    return departure;
  };

  return {
    passages,
    issued,
    leaves,
    handled,
    issuedAs: (token) => (token === undefined ? undefined : byRefresh.get(fingerprint(token))),
    isWritten: ({ grant }) => {
      for (const token of [grant?.tokens.refresh_token, grant?.alternate?.refresh_token, grant?.previous]) {
        const one = token === undefined ? undefined : byRefresh.get(fingerprint(token));
        if (!one || one.stored) continue;
        one.stored = true;
        onlooker.stored(one);
      }
    },
  };
}
