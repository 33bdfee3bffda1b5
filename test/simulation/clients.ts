import type { CommandContext } from '../../src/commands/command.ts';
import { logout } from '../../src/commands/logout.ts';
import { authorizationOf, isConnected } from '../../src/credentials/record.ts';
import { type CallResult, openConnection, type SimulatedBridge, startBridge } from './bridge.ts';
import { startProcess } from './process.ts';
import type { World } from './world.ts';

/** The programs that the person has, each with a bridge of its own, and a terminal. */
export interface Clients {
  readonly bridges: ReadonlySet<SimulatedBridge>;
  /** Starts one more bridge, as a client does. */
  start(): SimulatedBridge;
  /** A call, whose link the person may follow. */
  call(bridge: SimulatedBridge): Promise<CallResult>;
  logout(): void;
  /** `again`: with --force. */
  login(again: boolean): void;
}

const loginPatience = 3_600_000;

export function createClients(world: World): Clients {
  const { machine, chance, server, watch } = world;
  const bridges = new Set<SimulatedBridge>();
  let started = 0;

  const start = () => {
    const process = startProcess(machine, `bridge ${++started}`);
    const bridge = startBridge(world, process);
    bridges.add(bridge);
    process.onDeath(() => bridges.delete(bridge));
    return bridge;
  };

  const call: Clients['call'] = async (bridge) => {
    const result = await bridge.call();
    const isStuck = result.kind === 'trouble' && result.link !== undefined;
    if (isStuck && chance.happens(0.05)) void bridge.connect();
    if (result.kind === 'trouble' && result.link !== undefined) world.person.isToldOf(result.link);
    return result;
  };

  const openTerminal = (name: string) => {
    const process = startProcess(machine, `${name} ${++started}`);
    return openConnection(world, process, (url) =>
      process.later(chance.between(20, 400), 'a browser is opened', () => {
        watch.figures.tabs += 1;
        world.person.sees(url);
        return true;
      }),
    );
  };

  const runLogout = async () => {
    const connection = openTerminal('logout');
    const { process, log } = connection;
    const context = { clock: process.clock, log, print: () => undefined, openConnection: () => connection };
    // The command uses nothing else of its context.
    const stop = new AbortController().signal;
    await logout({ ...context, stop } as unknown as CommandContext).catch((error) => log.warn(String(error)));
    process.exit();
  };

  const runLogin = async (again: boolean) => {
    const { process, store, signIn, log, close } = openTerminal('login');
    const over = new AbortController();
    void process.clock.sleep(loginPatience).then(() => over.abort());
    try {
      const record = await store.load();
      if (again || !isConnected(record)) {
        const seen = isConnected(record) ? authorizationOf(record) : undefined;
        const challenge = { resourceMetadataUrl: `${server.origin}/.well-known/oauth-protected-resource/mcp` };
        await signIn.begin({ challenge, tab: 'insisted', seen, again: seen !== undefined }, over.signal);
        await signIn.outcome(seen, over.signal);
      }
    } catch (error) {
      log.warn(String(error));
    }
    await close();
    process.exit();
  };

  return {
    bridges,
    start,
    call,
    logout: () => void runLogout(),
    login: (again) => void runLogin(again),
  };
}
