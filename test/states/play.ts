import type { RawClient } from '../support/raw-client.ts';
import type { UpstreamOptions } from '../support/upstream/upstream.ts';
import type { Answer } from './answers.ts';
import type { Bound } from './bounds.ts';
import { Questions } from './questions.ts';
import { isCall, notification, type Row } from './requests.ts';
import { openScene, type Scene } from './scene.ts';

type Cell = `${Answer}, ${Bound}`;
/** A row that is left out is not asked in this state. */
type Table = Partial<Record<Row, Cell>> & Record<'initialize', Cell> & { [notification]: 'passed on' | 'dropped' };

/** What became of it in the browser and at the authorization server. */
interface Deeds {
  tabs: number;
  registrations: number;
  refreshes: number;
}

export interface State {
  upstream?: UpstreamOptions;
  clientInfo?: { name: string; version: string };
  /** What happens before the bridge is spawned. */
  before?(scene: Scene): Promise<unknown>;
  /** What happens once it has answered `initialize`, and before it is asked anything else. */
  next?(scene: Scene, client: RawClient): Promise<unknown>;
  /** Upstream goes on. */
  release?(scene: Scene): unknown;
  answers: Table;
  deeds: Deeds;
}

/** Whether the client has said `notifications/initialized` before it asks. */
type Phase = 'before initialized' | 'after initialized';

export const nothing: Deeds = { tabs: 0, registrations: 0, refreshes: 0 };

/** Of any state; and upstream is not known to speak the era of `server/discover`. */
export const always = { 'server/discover': '-32601, at once', ping: '{}, at once' } as const;

/** What `play` gives when the table is kept. */
export function promised({ answers, deeds }: State) {
  const atStart = { requests: 0, ...nothing };
  const toOne = { atStart, tabsBeforeCalls: 0, registrationsBeforeCalls: 0, answers, inOrder: true, deeds, exit: 0 };
  return { 'before initialized': toOne, 'after initialized': toOne };
}

/** Asks a bridge in each phase, and gives what they got in the words of the table. From `onWaiting` on they only wait. */
export async function play(state: State, onWaiting: () => void): Promise<unknown> {
  let busy = 2;
  const oneWaits = () => --busy === 0 && onWaiting();
  const [early, late] = await Promise.all([
    playOne(state, 'before initialized', oneWaits),
    playOne(state, 'after initialized', oneWaits),
  ]);
  return { 'before initialized': early, 'after initialized': late };
}

async function playOne(state: State, phase: Phase, onWaiting: () => void) {
  const scene = await openScene(state.upstream);
  try {
    await state.before?.(scene);
    return await askAll(state, { phase, scene, onWaiting });
  } finally {
    scene.upstream.faults.releaseAll();
    await scene.close();
  }
}

interface Asking {
  phase: Phase;
  scene: Scene;
  onWaiting(): void;
}

/** Everything side by side; first what may open no tab. */
async function askAll(state: State, { phase, scene, onWaiting }: Asking) {
  const { upstream, spawn } = scene;
  const done = countDeeds(scene);
  const requests = upstream.requests.length;
  const client = spawn();
  const questions = new Questions(client, state);
  for (const row of ['server/discover', 'ping', 'initialize'] as const) await questions.ask(row);
  // Time enough for what they may begin.
  for (let round = 0; round < 100; round += 1) await client.request('ping');
  const atStart = { requests: upstream.requests.length - requests, ...done() };
  if (phase === 'after initialized') client.notify('notifications/initialized');
  await state.next?.(scene, client);

  const before = done();
  for (const row of questions.rows) if (row !== 'initialize' && !mayOpenTab(row, state)) void questions.ask(row);
  await questions.untilFewWait();
  const tabsBeforeCalls = done().tabs - before.tabs;
  const registrationsBeforeCalls = done().registrations - before.registrations;
  for (const row of questions.rows) if (mayOpenTab(row, state)) void questions.ask(row);
  void questions.ask('ping');
  const notified = notify(state, scene, client);
  await questions.untilAllWait();
  onWaiting();
  await questions.untilFewWait();
  if (state.release) questions.release();
  await state.release?.(scene);
  await questions.untilNobodyWaits();
  await questions.ask('ping');
  await notified.arrival;
  const { code: exit } = await client.leave();
  const answers = { ...questions.answers(), [notification]: notified.fate() };
  const inOrder = questions.inOrder();
  return { atStart, tabsBeforeCalls, registrationsBeforeCalls, answers, inOrder, deeds: done(), exit };
}

/** Who may open a tab (product.md 4). */
function mayOpenTab(row: Row, { answers }: State): boolean {
  return isCall(row) || (row === 'tools/list' && answers.initialize.startsWith('ours'));
}

/** Two notifications, of which upstream may get the one. */
function notify({ answers }: State, { upstream }: Scene, client: RawClient) {
  const before = upstream.count({ rpc: notification });
  client.notify('notifications/cancelled', { requestId: 'unheard-of' });
  client.notify(notification);
  const isAwaited = answers[notification] === 'passed on';
  return {
    arrival: isAwaited ? upstream.waitFor({ rpc: notification }, { nth: before + 1 }) : undefined,
    fate: () => (upstream.count({ rpc: notification }) > before ? 'passed on' : 'dropped'),
  };
}

function countDeeds({ upstream, home }: Scene): () => Deeds {
  const count = (): Deeds => ({
    tabs: home.browser.tabs.length,
    registrations: upstream.count({ endpoint: 'register' }),
    refreshes: upstream.count({ endpoint: 'token', grantType: 'refresh_token' }),
  });
  const before = count();
  return () => {
    const now = count();
    return {
      tabs: now.tabs - before.tabs,
      registrations: now.registrations - before.registrations,
      refreshes: now.refreshes - before.refreshes,
    };
  };
}
