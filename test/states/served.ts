import type { RawClient } from '../support/raw-client.ts';
import { always, nothing, type State } from './play.ts';
import { connectedBefore, type Scene } from './scene.ts';

/** The server has forgotten the session that it was spoken to in. */
async function losesSession({ upstream }: Scene, client: RawClient): Promise<void> {
  await client.call('notion-get-users');
  await upstream.dropSessions();
}

/** Upstream serves whoever asks, now or in a while (product.md 4, 8). */
export const served: Record<string, State> = {
  'no authorization needed': {
    upstream: { auth: false },
    answers: {
      initialize: 'ours, at once',
      ...always,
      'tools/list': 'live, without a wait',
      'prompts/list': 'live, without a wait',
      'resources/list': 'live, without a wait',
      'resources/templates/list': 'live, without a wait',
      'a read': 'live, without a wait',
      'a change': 'live, without a wait',
      'notion-connect': 'live, without a wait',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'live, without a wait',
      'prompts/get': 'live, without a wait',
      'completion/complete': 'live, without a wait',
      'unknown/method': '-32601, without a wait',
      'notifications/roots/list_changed': 'passed on',
    },
    deeds: nothing,
  },

  connected: {
    before: connectedBefore,
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'live, without a wait',
      'prompts/list': 'live, without a wait',
      'resources/list': 'live, without a wait',
      'resources/templates/list': 'live, without a wait',
      'a read': 'live, without a wait',
      'a change': 'live, without a wait',
      'notion-connect': 'live, without a wait',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'live, without a wait',
      'prompts/get': 'live, without a wait',
      'completion/complete': 'live, without a wait',
      'unknown/method': '-32601, without a wait',
      'notifications/roots/list_changed': 'passed on',
    },
    deeds: nothing,
  },

  'connected, with a session that is lost': {
    before: connectedBefore,
    next: losesSession,
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'live, without a wait',
      'prompts/list': 'live, without a wait',
      'resources/list': 'live, without a wait',
      'resources/templates/list': 'live, without a wait',
      'a read': 'live, without a wait',
      'a change': 'live, without a wait',
      'notion-connect': 'live, without a wait',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'live, without a wait',
      'prompts/get': 'live, without a wait',
      'completion/complete': 'live, without a wait',
      'unknown/method': '-32601, without a wait',
      'notifications/roots/list_changed': 'passed on',
    },
    deeds: nothing,
  },

  // What a long call meets in a session is in patience.test.ts.
  'upstream is slow': {
    before: async (scene) => {
      await connectedBefore(scene);
      scene.upstream.faults.hold('mcp', { times: Number.POSITIVE_INFINITY });
    },
    release: ({ upstream }) => upstream.faults.releaseAll(),
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, after 3 s',
      'prompts/list': 'cached, after 3 s',
      'resources/list': 'cached, after 3 s',
      'resources/templates/list': 'cached, after 3 s',
      'a read': 'live, when upstream goes on',
      'a change': 'live, when upstream goes on',
      'notion-connect': 'live, when upstream goes on',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'live, when upstream goes on',
      'prompts/get': 'live, when upstream goes on',
      'completion/complete': 'live, when upstream goes on',
      'unknown/method': '-32601, when upstream goes on',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },

  'upstream is down at the first start, and up later': {
    upstream: { auth: false },
    before: ({ upstream }) => upstream.stop(),
    release: ({ upstream }) => upstream.start(),
    answers: {
      initialize: 'ours, at once',
      ...always,
      'tools/list': 'live, when upstream goes on',
      'prompts/list': 'live, when upstream goes on',
      'resources/list': 'live, when upstream goes on',
      'resources/templates/list': 'live, when upstream goes on',
      'a read': 'live, when upstream goes on',
      'a change': 'live, when upstream goes on',
      'notion-connect': 'live, when upstream goes on',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'live, when upstream goes on',
      'prompts/get': 'live, when upstream goes on',
      'completion/complete': 'live, when upstream goes on',
      'unknown/method': '-32601, when upstream goes on',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },

  'upstream is busy, and asks for a second': {
    before: async (scene) => {
      await connectedBefore(scene);
      busy(scene, { 'retry-after': '1' });
    },
    release: ({ upstream }) => upstream.faults.clear(),
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, after 3 s',
      'prompts/list': 'cached, after 3 s',
      'resources/list': 'cached, after 3 s',
      'resources/templates/list': 'cached, after 3 s',
      'a read': 'live, when upstream goes on',
      'a change': 'live, when upstream goes on',
      'notion-connect': 'live, when upstream goes on',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'live, when upstream goes on',
      'prompts/get': 'live, when upstream goes on',
      'completion/complete': 'live, when upstream goes on',
      'unknown/method': '-32601, when upstream goes on',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },
};

/** Rate limited (product.md 8), whatever is asked. */
export function busy({ upstream }: Scene, headers: Record<string, string>): void {
  upstream.faults.next('mcp', { kind: 'status', status: 429, headers }, { times: Number.POSITIVE_INFINITY });
}
