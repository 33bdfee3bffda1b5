import type { Course, Upheaval } from './trouble.ts';
import type { World } from './world.ts';

const any = ['done', 'unknown'] as const;
const refresh = { endpoint: 'token', grantType: 'refresh_token' } as const;

/** The token has expired as announced, so each request needs a refresh, and this is what the first ones meet. */
function refreshThat(how: string, fault: Parameters<World['upstream']['faults']['next']>[1]): Upheaval {
  return {
    title: `the token has expired, and the refresh ${how}`,
    change: ['done'],
    mixes: true,
    begin: async (world) => {
      await world.expire('announced');
      world.upstream.faults.next('token', fault, { when: refresh });
      return {};
    },
  };
}

const striking = (strike: (world: World) => unknown): Upheaval['begin'] => {
  return (world): Course => ({ strike: () => strike(world) });
};

/** Trouble that does not ask which request it hits. */
export const upheavals: readonly Upheaval[] = [
  {
    title: 'the server restarts',
    change: any,
    unread: true,
    strikes: 1,
    begin: striking(({ upstream }) => upstream.restart()),
  },
  {
    title: 'the server goes away, and comes back',
    change: any,
    unread: true,
    strikes: 1,
    begin: ({ upstream }) => ({ strike: () => upstream.stop(), end: () => upstream.start() }),
  },
  {
    title: 'the sessions are lost',
    change: ['done'],
    mixes: true,
    begin: async ({ upstream }) => {
      await upstream.dropSessions();
      return {};
    },
  },
  {
    title: 'the sessions are lost meanwhile',
    change: any,
    strikes: 1,
    begin: striking(({ upstream }) => upstream.dropSessions()),
  },
  {
    title: 'all streams are cut',
    change: any,
    mixes: true,
    strikes: 3,
    begin: striking(({ upstream }) => upstream.cutStreams()),
  },
  {
    title: 'the token has ended without a word',
    change: ['done'],
    mixes: true,
    begin: async (world) => {
      await world.expire('unannounced');
      return {};
    },
  },
  {
    title: 'the token ends meanwhile, without a word',
    change: ['done'],
    mixes: true,
    strikes: 1,
    begin: striking(({ upstream }) => upstream.expireAccessTokens()),
  },
  refreshThat('is slow', { kind: 'delay', ms: 400 }),
  refreshThat('is answered with 500 first', { kind: 'status', status: 500 }),
  refreshThat('is answered with 503 first', { kind: 'status', status: 503, headers: { 'retry-after': '1' } }),
  refreshThat('is lost first', { kind: 'lose-request' }),
  refreshThat('is answered with a page first', { kind: 'html', status: 200 }),
  {
    title: 'idle connections are closed at the moment of use',
    change: any,
    mixes: true,
    unread: true,
    strikes: 12,
    begin: striking(({ upstream }) => upstream.connections.closeIdle()),
  },
  {
    title: 'connections are reset as they come',
    change: any,
    mixes: true,
    unread: true,
    begin: ({ upstream }) => {
      upstream.connections.reset(3);
      return {};
    },
  },
  {
    title: 'messages are cut off before they are read',
    change: any,
    mixes: true,
    unread: true,
    begin: ({ upstream }) => {
      upstream.connections.cutUnread(2);
      return {};
    },
  },
  {
    title: 'the bridge stands still while its idle connections are closed',
    change: ['done'],
    begin: async (world) => {
      await world.stopBridge();
      world.upstream.connections.closeIdle();
      return { end: () => world.wakeBridge() };
    },
  },
];
