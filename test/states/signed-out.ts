import type { RawClient } from '../support/raw-client.ts';
import { runCommand } from '../support/run-command.ts';
import { always, type State } from './play.ts';
import { connectedBefore, declinedBefore, type Scene } from './scene.ts';

/** A call of this very client has opened the tab, and the person leaves it alone. */
async function opensTab({ home }: Scene, client: RawClient): Promise<void> {
  const next = home.browser.tabs.length + 1;
  client.send({ id: 'earlier', method: 'tools/call', params: { name: 'notion-get-users' } });
  await home.browser.tab(next);
}

async function loggedOut(scene: Scene): Promise<void> {
  await connectedBefore(scene);
  await runCommand(scene.home, ['logout', '--url', scene.upstream.url]).ended;
}

/** The grant ended at the server, as when the owner of the workspace disconnects it. */
async function revoked(scene: Scene): Promise<void> {
  await connectedBefore(scene);
  await scene.upstream.revokeGrants();
}

/** Nobody is signed in, or nobody is any more (product.md 4, 7). The person ignores what opens. */
export const signedOut: Record<string, State> = {
  'never signed in': {
    answers: {
      initialize: 'ours, at once',
      ...always,
      'tools/list': 'notion-connect, after 8 s',
      'prompts/list': 'empty, without a wait',
      'resources/list': 'empty, without a wait',
      'resources/templates/list': 'empty, without a wait',
      'a read': 'AUTHORIZATION_TIMED_OUT with the link, after 45 s',
      'a change': 'AUTHORIZATION_TIMED_OUT with the link, after 45 s',
      'notion-connect': 'AUTHORIZATION_TIMED_OUT with the link, after 45 s',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'REAUTH_REQUIRED, without a wait',
      'prompts/get': 'REAUTH_REQUIRED, without a wait',
      'completion/complete': 'REAUTH_REQUIRED, without a wait',
      'unknown/method': 'REAUTH_REQUIRED, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: { tabs: 1, registrations: 1, refreshes: 0 },
  },

  // Its client asks for the tools once (clients.md).
  'never signed in, in Claude Desktop': {
    clientInfo: { name: 'claude-ai', version: '0.1.0' },
    answers: {
      initialize: 'ours, at once',
      ...always,
      'tools/list': 'notion-connect, after 45 s',
      'prompts/list': 'empty, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: { tabs: 1, registrations: 1, refreshes: 0 },
  },

  'signing in, with a tab that is ignored': {
    next: opensTab,
    answers: {
      initialize: 'ours, at once',
      ...always,
      'tools/list': 'notion-connect, after 8 s',
      'prompts/list': 'empty, without a wait',
      'resources/list': 'empty, without a wait',
      'resources/templates/list': 'empty, without a wait',
      'a read': 'AUTHORIZATION_TIMED_OUT with the link, after 45 s',
      'a change': 'AUTHORIZATION_TIMED_OUT with the link, after 45 s',
      'notion-connect': 'AUTHORIZATION_TIMED_OUT with the link, after 45 s',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'REAUTH_REQUIRED with the link, without a wait',
      'prompts/get': 'REAUTH_REQUIRED with the link, without a wait',
      'completion/complete': 'REAUTH_REQUIRED with the link, without a wait',
      'unknown/method': 'REAUTH_REQUIRED with the link, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: { tabs: 1, registrations: 1, refreshes: 0 },
  },

  // What notion-connect does after a "no" is in sign-in.test.ts.
  declined: {
    before: declinedBefore,
    answers: {
      initialize: 'ours, at once',
      ...always,
      'tools/list': 'notion-connect, without a wait',
      'prompts/list': 'empty, without a wait',
      'resources/list': 'empty, without a wait',
      'resources/templates/list': 'empty, without a wait',
      'a read': 'REAUTH_REQUIRED with the link, without a wait',
      'a change': 'REAUTH_REQUIRED with the link, without a wait',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'REAUTH_REQUIRED, without a wait',
      'prompts/get': 'REAUTH_REQUIRED, without a wait',
      'completion/complete': 'REAUTH_REQUIRED, without a wait',
      'unknown/method': 'REAUTH_REQUIRED, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: { tabs: 0, registrations: 1, refreshes: 0 },
  },

  'signed out by logout': {
    before: loggedOut,
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, without a wait',
      'prompts/list': 'cached, without a wait',
      'resources/list': 'cached, without a wait',
      'resources/templates/list': 'cached, without a wait',
      'a read': 'REAUTH_REQUIRED with the link, without a wait',
      'a change': 'REAUTH_REQUIRED with the link, without a wait',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'REAUTH_REQUIRED, without a wait',
      'prompts/get': 'REAUTH_REQUIRED, without a wait',
      'completion/complete': 'REAUTH_REQUIRED, without a wait',
      'unknown/method': 'REAUTH_REQUIRED, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: { tabs: 0, registrations: 1, refreshes: 0 },
  },

  // One call: of two, one would open the tab.
  'needs reconnect': {
    before: revoked,
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, without a wait',
      'prompts/list': 'cached, without a wait',
      'resources/list': 'cached, without a wait',
      'resources/templates/list': 'cached, without a wait',
      'a read': 'AUTHORIZATION_TIMED_OUT with the link, after 10 s',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'REAUTH_REQUIRED, without a wait',
      'prompts/get': 'REAUTH_REQUIRED, without a wait',
      'completion/complete': 'REAUTH_REQUIRED, without a wait',
      'unknown/method': 'REAUTH_REQUIRED, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: { tabs: 1, registrations: 1, refreshes: 1 },
  },

  'reconnecting, with a tab that is ignored': {
    before: revoked,
    next: opensTab,
    answers: {
      initialize: 'cached, at once',
      ...always,
      'tools/list': 'cached, without a wait',
      'prompts/list': 'cached, without a wait',
      'resources/list': 'cached, without a wait',
      'resources/templates/list': 'cached, without a wait',
      'a read': 'REAUTH_REQUIRED with the link, without a wait',
      'a change': 'REAUTH_REQUIRED with the link, without a wait',
      'logging/setLevel': '{}, without a wait',
      'resources/subscribe': '{}, without a wait',
      'resources/read': 'REAUTH_REQUIRED with the link, without a wait',
      'prompts/get': 'REAUTH_REQUIRED with the link, without a wait',
      'completion/complete': 'REAUTH_REQUIRED with the link, without a wait',
      'unknown/method': 'REAUTH_REQUIRED with the link, without a wait',
      'notifications/roots/list_changed': 'dropped',
    },
    deeds: { tabs: 1, registrations: 1, refreshes: 1 },
  },
};
