import { setTimeout as sleep } from 'node:timers/promises';
import { deferred } from './deferred.ts';
import { type Endpoint, predicate, type RequestEntry, type RequestFilter } from './request-log.ts';

/** `handled: true` lets the upstream do the work first; without it the request never reaches it. */
export type Fault =
  | { kind: 'lose-request' }
  | { kind: 'lose-response' }
  | { kind: 'cut-after-headers' }
  /** The work is done, and this share of the body leaves: 1 is all of it, without the end. */
  | { kind: 'cut-in-body'; share: number }
  | { kind: 'status'; status: number; body?: unknown; headers?: Record<string, string>; handled?: boolean }
  /** A 401 with Notion's challenge, as an edge gives that does not know a new token yet (notion-wire.md). */
  | { kind: 'unauthorized' }
  | { kind: 'html'; status?: number; handled?: boolean }
  | { kind: 'garbage-json'; handled?: boolean }
  | { kind: 'delay'; ms: number; handled?: boolean }
  /** Replaces the JSON body of the real answer. */
  | { kind: 'rewrite'; json: (body: Record<string, unknown>) => unknown };

export interface FaultOptions {
  /** How many matching requests it hits, 1 by default; `Infinity` until `clear()`, and then it never counts as unused. */
  times?: number;
  when?: RequestFilter;
}

export interface HoldOptions {
  when?: RequestFilter;
  /** Hold the answer after the work was done, instead of the request before. */
  handled?: boolean;
  /** How many matching requests it holds, 1 by default; `Infinity` all of them, until released. */
  times?: number;
  /** What the request meets once it is released. */
  next?: Fault;
}

/** Holds requests until released. `arrived`: the first of them did. */
export interface Gate {
  arrived: Promise<RequestEntry>;
  release(): void;
}

export type Target = Exclude<Endpoint, 'other'>;

/** What leaves for the client: a response, cut short or not, or nothing at all. */
export type Outcome = { response: Response; cut?: true } | { response?: never; cut: true };

type Apply = (entry: RequestEntry, handle: () => Promise<Response>) => Promise<Outcome>;

interface Registered {
  target: Target;
  title: string;
  left: number;
  when: (entry: RequestEntry) => boolean;
  apply: Apply;
}

const TARGETS: readonly string[] = ['metadata', 'register', 'authorize', 'token', 'revoke', 'mcp'] satisfies Target[];

export class Faults {
  readonly #challenge: () => string;
  readonly #gates = new Set<() => void>();
  #registered: Registered[] = [];

  constructor(challenge: () => string) {
    this.#challenge = challenge;
  }

  /** The next matching requests meet this fault; faults for one endpoint are used in the order of registration. */
  next(target: Target, fault: Fault, { times = 1, when = {} }: FaultOptions = {}): void {
    if (!(times >= 1)) throw new RangeError(`could not register a fault for ${times} requests`);
    this.#register({
      target,
      title: fault.kind,
      left: times,
      when: predicate(when),
      apply: applier(fault, this.#challenge),
    });
  }

  hold(target: Target, { when = {}, handled = false, times = 1, next }: HoldOptions = {}): Gate {
    const goOn = next && applier(next, this.#challenge);
    const arrival = deferred<RequestEntry>();
    const opening = deferred<void>();
    this.#gates.add(opening.resolve);
    const apply: Apply = async (entry, handle) => {
      const early = handled ? await handle() : undefined;
      arrival.resolve(entry);
      await opening.promise;
      if (goOn) return goOn(entry, async () => early ?? (await handle()));
      return { response: early ?? (await handle()) };
    };
    this.#register({ target, title: 'hold', left: times, when: predicate(when), apply });
    return { arrived: arrival.promise, release: opening.resolve };
  }

  /** Passes the request through the first fault that wants it, if any. */
  async through(entry: RequestEntry, handle: () => Promise<Response>): Promise<Outcome> {
    const fault = this.#registered.find(({ target, when }) => target === entry.endpoint && when(entry));
    if (!fault) return { response: await handle() };
    fault.left -= 1;
    if (fault.left === 0) this.#registered = this.#registered.filter((other) => other !== fault);
    return fault.apply(entry, handle);
  }

  /** Faults and gates that no request has met (often enough), such as `token lose-response, 1 left`. */
  unused(): string[] {
    const finite = this.#registered.filter(({ left }) => Number.isFinite(left));
    return finite.map(({ target, title, left }) => `${target} ${title}, ${left} left`);
  }

  /** Forgets what was registered; gates that hold a request stay closed. */
  clear(): void {
    this.#registered = [];
  }

  releaseAll(): void {
    for (const release of this.#gates) release();
    this.#gates.clear();
  }

  #register(fault: Registered): void {
    if (!TARGETS.includes(fault.target))
      throw new TypeError(`could not place a fault at unknown endpoint ${fault.target}`);
    this.#registered.push(fault);
  }
}

function applier(fault: Fault, challenge: () => string): Apply {
  switch (fault.kind) {
    case 'unauthorized':
      return async () => ({ response: unauthorized(challenge()) });
    case 'lose-request':
      return async () => ({ cut: true });
    case 'lose-response':
      return async (entry, handle) => {
        await drain(entry, await handle());
        return { cut: true };
      };
    case 'cut-after-headers':
      return async (_entry, handle) => ({ response: withBody(' ', await abandoned(handle)), cut: true });
    case 'cut-in-body':
      return async (_entry, handle) => {
        const response = await handle();
        const body = await response.arrayBuffer();
        return { response: withBody(body.slice(0, Math.ceil(body.byteLength * fault.share)), response), cut: true };
      };
    case 'delay':
      return (_entry, handle) => delayed(fault, handle);
    case 'rewrite':
      return async (_entry, handle) => ({ response: await rewritten(await handle(), fault.json) });
    case 'status':
    case 'html':
    case 'garbage-json':
      return async (entry, handle) => {
        if (fault.handled) await drain(entry, await handle());
        return { response: canned(fault) };
      };
    default:
      throw new TypeError(`could not apply unknown fault ${JSON.stringify(fault satisfies never)}`);
  }
}

async function delayed(fault: { ms: number; handled?: boolean }, handle: () => Promise<Response>): Promise<Outcome> {
  const early = fault.handled ? await handle() : undefined;
  await sleep(fault.ms);
  return { response: early ?? (await handle()) };
}

async function rewritten(response: Response, json: (body: Record<string, unknown>) => unknown): Promise<Response> {
  const body = json((await response.json()) as Record<string, unknown>);
  const headers = new Headers(response.headers);
  headers.delete('content-length');
  return Response.json(body, { status: response.status, headers });
}

/** The response, whose body nobody reads. */
async function abandoned(handle: () => Promise<Response>): Promise<Response> {
  const response = await handle();
  await response.body?.cancel();
  return response;
}

function withBody(body: string | ArrayBuffer, { status, headers }: Response): Response {
  return new Response(body, { status, headers });
}

function unauthorized(challenge: string): Response {
  return Response.json({ error: 'invalid_token' }, { status: 401, headers: { 'www-authenticate': challenge } });
}

function canned(fault: Extract<Fault, { kind: 'status' | 'html' | 'garbage-json' }>): Response {
  if (fault.kind === 'html') {
    const html = '<!doctype html><title>Bad gateway</title><h1>502 Bad gateway</h1>';
    return new Response(html, { status: fault.status ?? 502, headers: { 'content-type': 'text/html' } });
  }
  if (fault.kind === 'garbage-json') {
    return new Response('{"access_token": "ey', { headers: { 'content-type': 'application/json' } });
  }
  if (typeof fault.body !== 'object') {
    return new Response(fault.body === undefined ? null : String(fault.body), {
      status: fault.status,
      headers: fault.headers ?? {},
    });
  }
  return Response.json(fault.body, { status: fault.status, headers: fault.headers ?? {} });
}

// Reading to the end makes "handled" true for a streamed answer, too: the tool has run when its stream ends.
// The event stream of a GET has no end.
async function drain(entry: RequestEntry, response: Response): Promise<void> {
  if (entry.method === 'GET' && response.headers.get('content-type') === 'text/event-stream')
    await response.body?.cancel();
  else await response.arrayBuffer();
}
