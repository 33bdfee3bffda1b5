import type { Line } from '../support/raw-peer.ts';
import type { Planned } from './plan.ts';
import type { Told } from './trouble.ts';
import type { World } from './world.ts';

/** What waits for us is answered after 30 s at the latest (product.md 4); the rest is for a busy machine. */
export const bound = 30_000 + 20_000;

/** A request, and what came of it so far. */
export interface Call {
  planned: Planned;
  told: Told;
  /** Of the error that was told. */
  code?: string | undefined;
  /** What was to be seen of it once the bridge had surely read that it was given up. */
  givenUp?: { arrivals: number; answers: number };
}

/** Sends a request at its moment, and sees it through: to its answer, to the bound, or until it is given up. */
export async function makeCall(world: World, planned: Planned, since: number): Promise<Call> {
  const { key, tool, at, takes, ballast, meets, givenUp } = planned;
  await world.until(at, since);
  world.tell(`${tool} ${key} is sent${meets ? `, and meets: ${meets.title}` : ''}`);
  const args = { key, ...(takes > 0 ? { ms: takes } : {}), ...(ballast > 0 ? { ballast: 'x'.repeat(ballast) } : {}) };
  world.peer.send({ id: key, method: 'tools/call', params: { name: tool, arguments: args } });
  const call: Call = { planned, told: 'nothing' };
  if (givenUp === 'waiting') return call;
  const answered = world.peer.receive((json) => isAnswer(json, key));
  const line = await within(answered, givenUp ?? bound);
  if (line) take(world, call, line);
  else if (givenUp !== undefined) await giveUp(world, call);
  return call;
}

/** The client gives it up, unless it was answered; resolves once all that was said and sent of it before has come. */
export async function giveUp(world: World, call: Call): Promise<void> {
  const { key, tool } = call.planned;
  const [line] = answersTo(world, key);
  if (line) return take(world, call, line);
  world.tell(`${key} is given up`);
  world.peer.notify('notifications/cancelled', { requestId: key, reason: 'the client gave it up' });
  await world.read();
  const answers = answersTo(world, key).length;
  await world.arrived();
  call.givenUp = { arrivals: world.arrivals(tool, key), answers };
  world.tell(`the bridge has read that ${key} is given up`);
}

export function answersTo(world: World, key: string): Line[] {
  return world.peer.lines.filter(({ json }) => isAnswer(json, key));
}

function isAnswer({ id, method }: Line['json'], key: string): boolean {
  return id === key && method === undefined;
}

function take(world: World, call: Call, { json: { result, error } }: Line): void {
  const text = String(result?.content[0].text ?? error?.message);
  if (error) call.code = error.data?.code ?? String(error.code);
  else if (result.isError) call.code = text.split(':')[0];
  call.told = call.code === undefined ? 'done' : call.code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'refused';
  world.tell(`${call.planned.key} is told: ${text}`);
}

/** The value, or undefined when it does not come within so many ms. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
