import type { Fault } from '../support/upstream/faults.ts';
import type { RequestFault } from './trouble.ts';

const moments = ['before it is executed', 'after it was executed'] as const;
const serverErrors = [500, 502, 503, 504];

/** The same in place of the answer, before the work and after it: nobody can tell which (P8). */
function ambiguous(what: string, fault: (handled: boolean) => Fault): RequestFault[] {
  return moments.map((moment) => ({
    title: `${what} ${moment}`,
    change: ['unknown'],
    fault: fault(moment === 'after it was executed'),
  }));
}

/** Upstream surely did not act (product.md 8), so all are sent again. */
function unserved(title: string, fault: Fault): RequestFault {
  return { title, change: ['done'], fault };
}

/** The server says no, and means it. */
function refused(title: string, fault: Fault): RequestFault {
  return { title, change: ['refused'], safe: ['refused'], fault };
}

const later = (status: number, seconds: number) =>
  ({ kind: 'status', status, headers: { 'retry-after': String(seconds) } }) as const;

export const requestFaults: readonly RequestFault[] = [
  { title: 'it is cut off before it is executed', change: ['unknown'], fault: { kind: 'lose-request' } },
  { title: 'it is cut off after it was executed', change: ['unknown'], fault: { kind: 'lose-response' } },
  { title: 'it is cut off after the headers', change: ['unknown'], fault: { kind: 'cut-after-headers' } },
  // A stream with event ids is resumed.
  ...[0.15, 0.5, 0.85].map(
    (share): RequestFault => ({
      title: `it is cut off after ${100 * share} % of the answer`,
      change: ['done', 'unknown'],
      fault: { kind: 'cut-in-body', share },
    }),
  ),
  { title: 'it is cut off behind its answer', change: ['done'], fault: { kind: 'cut-in-body', share: 1 } },
  ...serverErrors.flatMap((status) =>
    ambiguous(`a bare ${status}`, (handled) => ({ kind: 'status', status, handled })),
  ),
  // Only with 429 and 503 does Retry-After mean that the server did not act (product.md 8).
  ...[500, 502].flatMap((status) =>
    ambiguous(`a ${status} with Retry-After`, (handled) => ({ ...later(status, 0), handled })),
  ),
  ...ambiguous('an HTML page with 502', (handled) => ({ kind: 'html', handled })),
  ...ambiguous('an HTML page with 200', (handled) => ({ kind: 'html', status: 200, handled })),
  ...ambiguous('half a JSON', (handled) => ({ kind: 'garbage-json', handled })),
  ...ambiguous('a 202 and no answer', (handled) => ({ kind: 'status', status: 202, handled })),
  unserved('a 503 with Retry-After: 0', later(503, 0)),
  unserved('a 503 with Retry-After: 1', later(503, 1)),
  unserved('a 429 with Retry-After: 0', later(429, 0)),
  unserved('a 429 with Retry-After: 1', later(429, 1)),
  unserved('a 429 without Retry-After', { kind: 'status', status: 429 }),
  unserved('a 401', { kind: 'unauthorized' }),
  unserved('a 404 for its session', { kind: 'status', status: 404 }),
  refused('a 400', { kind: 'status', status: 400 }),
  refused('a 403', { kind: 'html', status: 403 }),
  unserved('a delay before it is executed', { kind: 'delay', ms: 150 }),
  unserved('a delay after it was executed', { kind: 'delay', ms: 150, handled: true }),
];
