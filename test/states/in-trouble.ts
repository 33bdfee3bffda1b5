import { expect } from 'vitest';
import { expireTokens } from '../support/stored-record.ts';
import { always, nothing, type State } from './play.ts';
import { connectedBefore, type Scene } from './scene.ts';
import { busy } from './served.ts';

async function offline(scene: Scene): Promise<void> {
  await connectedBefore(scene);
  await scene.upstream.stop();
}

/** Connected, and nothing serves: what waits for us is answered within 30 s (product.md 4), and nobody signs in for it. */
export const inTrouble: Record<string, State> = {
  offline: {
    before: offline,
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, after 3 s',
      'prompts/list': 'cached, after 3 s',
      'resources/list': 'cached, after 3 s',
      'resources/templates/list': 'cached, after 3 s',
      'a read': 'UPSTREAM_UNREACHABLE, within 30 s',
      'a change': 'UPSTREAM_UNREACHABLE, within 30 s',
      'notion-connect': 'UPSTREAM_UNREACHABLE, within 30 s',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'UPSTREAM_UNREACHABLE, within 30 s',
      'prompts/get': 'UPSTREAM_UNREACHABLE, within 30 s',
      'completion/complete': 'UPSTREAM_UNREACHABLE, within 30 s',
      'unknown/method': 'UPSTREAM_UNREACHABLE, within 30 s',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },

  'offline, with an access token that has expired': {
    before: async (scene) => {
      await offline(scene);
      await expireTokens(scene.home);
    },
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, after 3 s',
      'prompts/list': 'cached, after 3 s',
      'resources/list': 'cached, after 3 s',
      'resources/templates/list': 'cached, after 3 s',
      'a read': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'a change': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'notion-connect': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'prompts/get': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'completion/complete': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'unknown/method': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },

  'offline at the first start': {
    before: ({ upstream }) => upstream.stop(),
    answers: {
      initialize: 'ours, at once',
      ...always,
      'tools/list': 'UPSTREAM_UNREACHABLE, within 30 s',
      'prompts/list': 'UPSTREAM_UNREACHABLE, within 30 s',
      'resources/list': 'UPSTREAM_UNREACHABLE, within 30 s',
      'resources/templates/list': 'UPSTREAM_UNREACHABLE, within 30 s',
      'a read': 'UPSTREAM_UNREACHABLE, within 30 s',
      'a change': 'UPSTREAM_UNREACHABLE, within 30 s',
      'notion-connect': 'UPSTREAM_UNREACHABLE, within 30 s',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'UPSTREAM_UNREACHABLE, within 30 s',
      'prompts/get': 'UPSTREAM_UNREACHABLE, within 30 s',
      'completion/complete': 'UPSTREAM_UNREACHABLE, within 30 s',
      'unknown/method': 'UPSTREAM_UNREACHABLE, within 30 s',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },

  'the token endpoint refuses for now, and the access token has expired': {
    before: async (scene) => {
      await connectedBefore(scene);
      await expireTokens(scene.home);
      const body = { error: 'temporarily_unavailable' };
      const times = Number.POSITIVE_INFINITY;
      scene.upstream.faults.next('token', { kind: 'status', status: 400, body }, { times });
    },
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, after 3 s',
      'prompts/list': 'cached, after 3 s',
      'resources/list': 'cached, after 3 s',
      'resources/templates/list': 'cached, after 3 s',
      'a read': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'a change': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'notion-connect': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'prompts/get': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'completion/complete': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'unknown/method': 'AUTHORIZATION_SERVER_UNREACHABLE, within 30 s',
      'notifications/roots/list_changed': 'dropped',
    },
    // As often as the back-off lets it.
    deeds: { ...nothing, refreshes: expect.any(Number) },
  },

  'upstream is busy for an hour': {
    before: async (scene) => {
      await connectedBefore(scene);
      busy(scene, { 'retry-after': '3600' });
    },
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, without a wait',
      'prompts/list': 'cached, without a wait',
      'resources/list': 'cached, without a wait',
      'resources/templates/list': 'cached, without a wait',
      'a read': 'UPSTREAM_REFUSED, without a wait',
      'a change': 'UPSTREAM_REFUSED, without a wait',
      'notion-connect': 'UPSTREAM_REFUSED, without a wait',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'UPSTREAM_REFUSED, without a wait',
      'prompts/get': 'UPSTREAM_REFUSED, without a wait',
      'completion/complete': 'UPSTREAM_REFUSED, without a wait',
      'unknown/method': 'UPSTREAM_REFUSED, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },

  'upstream is busy, and does not say for how long': {
    before: async (scene) => {
      await connectedBefore(scene);
      busy(scene, {});
    },
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, after 3 s',
      'prompts/list': 'cached, after 3 s',
      'resources/list': 'cached, after 3 s',
      'resources/templates/list': 'cached, after 3 s',
      'a read': 'UPSTREAM_REFUSED, within 30 s',
      'a change': 'UPSTREAM_REFUSED, within 30 s',
      'notion-connect': 'UPSTREAM_REFUSED, within 30 s',
      'logging/setLevel': '{}, after 3 s',
      'resources/subscribe': '{}, after 3 s',
      'resources/read': 'UPSTREAM_REFUSED, within 30 s',
      'prompts/get': 'UPSTREAM_REFUSED, within 30 s',
      'completion/complete': 'UPSTREAM_REFUSED, within 30 s',
      'unknown/method': 'UPSTREAM_REFUSED, within 30 s',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: nothing,
  },
};
