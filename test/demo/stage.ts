import { join } from 'node:path';
import { runCommand } from '../support/run-command.ts';
import { connectBridge, openHome, type SpawnedBridge, type TemporaryHome } from '../support/spawn-client.ts';
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts';

/** Everything that the demo starts, so that one place can end it. */
export interface Stage {
  upstream: Upstream;
  home: TemporaryHome;
  spawn(): Promise<SpawnedBridge>;
  /** SIGKILL: the bridge gets no chance to tidy up. Resolves when it is gone. */
  kill(bridge: SpawnedBridge): Promise<void>;
  /** The state that `notion-mcp-bridge status` reports. */
  status(): Promise<string>;
  clear(): Promise<void>;
}

export async function openStage(realBrowser: boolean): Promise<Stage> {
  const upstream = await startUpstream();
  const home = await openHome();
  const { url } = upstream;
  const env = realBrowser ? desktopEnvironment(home) : {};
  const running = new Set<SpawnedBridge>();

  const spawn = async () => {
    const bridge = await connectBridge({ home, url, env, clientInfo: { name: 'demo', version: '1.0.0' } });
    running.add(bridge);
    return bridge;
  };
  const kill = async (bridge: SpawnedBridge) => {
    const gone = new Promise<void>((resolve) => {
      bridge.client.onclose = resolve;
    });
    process.kill(bridge.pid, 'SIGKILL');
    await gone;
    running.delete(bridge);
  };
  const status = async () => {
    const { stdout } = await runCommand(home, ['status', '--json', '--url', url], env).ended;
    return (JSON.parse(stdout) as { state: string }).state;
  };
  const clear = async () => {
    await Promise.allSettled([...running].map((bridge) => bridge.close()));
    await upstream[Symbol.asyncDispose]();
    await home.remove();
  };
  return { upstream, home, spawn, kill, status, clear };
}

/**
 * The person's own environment, so that the browser is the one they know, with its own profile in their own home; only
 * the bridge's folder is in the temporary home.
 */
function desktopEnvironment({ path }: TemporaryHome): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('NOTION_MCP_BRIDGE_'));
  // The stand-in would be taken for the person's choice; an empty variable counts as unset.
  const inherited = { BROWSER: '', ...Object.fromEntries(own) } as Record<string, string>;
  return { ...inherited, NOTION_MCP_BRIDGE_CONFIG_DIR: join(path, '.notion-mcp-bridge') };
}
