import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { type Connection, connectingTo } from '../../bridge.ts';
import type { ConnectionRecord } from '../../credentials/record.ts';
import { openerCommand } from '../../oauth/browser.ts';
import { createLoopbackPorts } from '../../oauth/loopback.ts';
import type { CommandContext } from '../command.ts';
import { findClientConfigs } from './client-configs.ts';
import { type Finding, fine, warning } from './examination.ts';

export function checkRuntime({ machine, version }: CommandContext): Finding {
  return fine(`notion-mcp-bridge ${version}, Node.js ${machine.node}, ${machine.platform} ${machine.arch}`);
}

/** Binds what a sign-in would bind, for a moment. @throws BridgeError CONFIG_INVALID */
export async function checkCallbackPort(
  { config, clock }: CommandContext,
  { http }: Connection,
  record: ConnectionRecord | undefined,
): Promise<Finding> {
  const { callbackPort } = config;
  const ports = createLoopbackPorts(http, clock);
  const pending = record?.pendingSignIn;
  const isInUse = callbackPort !== undefined && pending?.prepared?.port === callbackPort;
  if (isInUse && (await ports.isListening(callbackPort, pending.id)))
    return fine(`${callbackPort} belongs to the sign-in that waits for you`);
  const lostPage = { kind: 'finished', about: connectingTo(config) } as const;
  const onCallback = async () => ({ page: lostPage });
  const loopback = await ports.listen({ id: 'doctor', port: callbackPort ?? 0, onCallback, lostPage });
  loopback.close();
  return fine(callbackPort === undefined ? 'a free one can be had on 127.0.0.1' : `${callbackPort} is free`);
}

export function checkBrowser({ config, openBrowser, machine }: CommandContext): Finding {
  const { environment } = machine;
  if (config.noBrowser) return fine('not opened, as `--no-browser` asks; the link is the way');
  const otherwise = 'sign in with `npx -y notion-mcp-bridge login`, which shows a link for a browser anywhere';
  if (!openBrowser) return warning('this machine', 'none can be opened here (no DISPLAY, no BROWSER)', otherwise);
  const isOurs = machine.platform === 'linux' && !environment.WSL_DISTRO_NAME;
  const [name = 'xdg-open'] = openerCommand(environment.BROWSER);
  if (!isOurs) return fine("opened by the system's own command");
  if (isRunnable(name, environment.PATH ?? '')) return fine(`opened by ${name}`);
  return warning('this machine', `${name}, which would open it, is not there`, `install it, or ${otherwise}`);
}

function isRunnable(name: string, path: string): boolean {
  const places = isAbsolute(name) ? [name] : path.split(delimiter).map((folder) => join(folder, name));
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function checkClients({ machine }: CommandContext): Finding {
  const found = findClientConfigs(machine);
  const ours = found.filter(({ mentionsUs }) => mentionsUs);
  if (ours.length > 0) return fine(ours.map(({ client, path }) => `${client} (${path})`).join(', '));
  const names = found.map(({ client }) => client);
  const what = names.length === 0 ? 'no client that we know was found' : `${names.join(', ')}: none names us`;
  return warning(
    'this machine',
    what,
    'run `npx -y notion-mcp-bridge install CLIENT`, or `config CLIENT` for what to put where',
  );
}
