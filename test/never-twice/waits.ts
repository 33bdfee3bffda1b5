import { approve } from '../support/upstream/browser.ts';
import type { Fault, Gate } from '../support/upstream/faults.ts';
import type { Upheaval } from './trouble.ts';
import { keyOf, type World } from './world.ts';

const refresh = { endpoint: 'token', grantType: 'refresh_token' } as const;
const busy: Fault = { kind: 'status', status: 503, headers: { 'retry-after': '1' } };
const gone: Fault = { kind: 'status', status: 404 };
const unauthorized: Fault = { kind: 'unauthorized' };

/** Held by a gate: nothing that is given up meanwhile may go out once it opens. */
function held(world: World, gate: Gate) {
  return {
    waiting: async () => {
      await gate.arrived;
      await world.read();
    },
    end: gate.release,
  };
}

/** While they last, no request reaches upstream: whatever is given up meanwhile is never executed (P8). */
export const waits: readonly Upheaval[] = [
  {
    title: 'waits for a refresh',
    change: ['done'],
    begin: async (world) => {
      await world.expire('announced');
      return held(world, world.upstream.faults.hold('token', { when: refresh }));
    },
  },
  {
    title: 'waits for the answer of a refresh',
    change: ['done'],
    begin: async (world) => {
      await world.expire('announced');
      return held(world, world.upstream.faults.hold('token', { when: refresh, handled: true }));
    },
  },
  {
    title: 'waits for the refresh after a 401',
    change: ['done'],
    begin: async (world) => {
      await world.expire('unannounced');
      return held(world, world.upstream.faults.hold('token', { when: refresh }));
    },
  },
  {
    title: 'waits for a token endpoint that is busy',
    change: ['done'],
    begin: async (world) => {
      await world.expire('announced');
      const busyBefore = world.upstream.count({ ...refresh, status: 503 });
      world.upstream.faults.next('token', busy, { when: refresh });
      return {
        waiting: async () => {
          await world.upstream.waitFor({ ...refresh, status: 503 }, { nth: busyBefore + 1 });
          await world.read();
        },
      };
    },
  },
  {
    title: 'waits for a new session',
    change: ['done'],
    begin: async (world) => {
      await world.upstream.dropSessions();
      return held(world, world.upstream.faults.hold('mcp', { when: { rpc: 'initialize' } }));
    },
  },
  {
    title: 'waits behind a notification',
    change: ['done'],
    begin: async (world) => {
      const rpc = 'notifications/roots/list_changed';
      const gate = world.upstream.faults.hold('mcp', { when: { rpc } });
      world.peer.notify(rpc);
      return held(world, gate);
    },
  },
  {
    title: 'waits for a server that is away',
    change: ['done'],
    begin: async (world) => {
      await world.upstream.stop();
      return { waiting: () => world.read(), end: () => world.upstream.start() };
    },
  },
  {
    title: 'waits for a server that is busy',
    change: ['done'],
    begin: ({ upstream }, keys) => {
      const refused = { rpc: 'tools/call', status: 503 } as const;
      const before = upstream.count(refused);
      upstream.faults.next('mcp', busy, { when: { rpc: 'tools/call' }, times: keys.length });
      return { waiting: () => upstream.waitFor(refused, { nth: before + keys.length }) };
    },
  },
  // Upstream has them, is slow to be told that they are given up, and refuses them: they are not sent again.
  ...Object.entries({ busy, 'rid of the session': gone, 'not content with the token': unauthorized }).map(
    ([how, fault]): Upheaval => ({
      title: `waits for a server that turns out to be ${how}`,
      change: ['done'],
      begin: ({ upstream }, keys) => {
        const { faults } = upstream;
        const slow = { kind: 'delay', ms: 1_500 } as const;
        faults.next('mcp', slow, { when: { rpc: 'notifications/cancelled' }, times: Number.POSITIVE_INFINITY });
        const gates = keys.map((key) => faults.hold('mcp', { when: (entry) => keyOf(entry) === key, next: fault }));
        return {
          waiting: () => Promise.all(gates.map(({ arrived }) => arrived)),
          end: () => {
            for (const { release } of gates) release();
          },
        };
      },
    }),
  ),
  {
    title: 'waits for a sign-in',
    // Only those that wait for the tab get a result (product.md 4).
    change: ['done', 'refused'],
    safe: ['done', 'refused'],
    begin: async (world) => {
      const { browser } = world.home;
      const tabs = browser.tabs.length;
      await world.expire('unannounced');
      await world.upstream.revokeGrants();
      browser.person = 'ignores';
      return {
        waiting: async () => {
          await browser.tab(tabs + 1);
          await world.read();
        },
        end: async () => {
          browser.person = 'approves';
          await approve(browser.tabs[tabs]?.url ?? '');
        },
      };
    },
  },
];
