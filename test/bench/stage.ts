import { resolve } from 'node:path';
import { runCommand } from '../support/run-command.ts';
import { openHome, strippedEnvironment } from '../support/spawn-client.ts';
import { spawnProcess } from '../support/spawn-process.ts';
import { openStdio, type StdioClient } from './stdio-client.ts';
import {
  type Connected,
  connectDirectly,
  connectSpawned,
  greet,
  programsWith,
  type Spawned,
  type SubjectName,
} from './subjects.ts';
import type { UpstreamVerbs } from './upstream-process.ts';

/** Only there every program that opens a tab follows $BROWSER to the stand-in: nowhere is a real one opened. */
const canSignIn = process.platform === 'linux';

/** The upstreams and the home that all subjects share. */
export interface Stage {
  isPresent(subject: SubjectName): boolean;
  /** The upstream that asks nobody who he is: what the relay costs is measured there. */
  upstreamPid: number;
  /** Spawns a subject on its stored credentials, if it needs any. */
  start(subject: Spawned): StdioClient;
  /** How many sessions were opened so far with stored credentials. */
  handshakes(): Promise<number>;
  /** A connection of its own. */
  connect(subject: SubjectName): Promise<Connected>;
  /** The one connection that stays for the whole run. */
  connected(subject: SubjectName): Promise<Connected>;
  close(): Promise<void>;
}

export interface StageOptions {
  /** A folder that every bridge writes profiles of its CPU time and of its allocations to. */
  profiles?: string | undefined;
  /** The `cli.js` of another build of the bridge. */
  before?: string | undefined;
}

export async function openStage({ profiles, before }: StageOptions): Promise<Stage> {
  const programs = programsWith(before);
  const script = new URL('./upstream-process.ts', import.meta.url);
  const open = await spawnProcess<UpstreamVerbs>(script, 'open');
  const guarded = await spawnProcess<UpstreamVerbs>(script, canSignIn ? 'auth' : 'open');
  const home = await openHome();
  const env = strippedEnvironment(home);
  const openUrl = await open.ask('url');
  const guardedUrl = await guarded.ask('url');

  /** Each signs in as it does it by itself; the browser that opens is the stand-in of the tests. */
  const signIn = async () => {
    const login = await runCommand(home, ['login', '--url', guardedUrl]).ended;
    if (login.code !== 0) throw new Error(`the bridge could not sign in: ${login.stderr}`);
    const remote = openStdio(programs['mcp-remote'](guardedUrl), env);
    await greet(remote);
    await remote.request('tools/list');
    await remote.close();
    if (home.browser.tabs.length !== 2) throw new Error(`${home.browser.tabs.length} tabs opened for two sign-ins`);
  };
  if (canSignIn) await signIn();

  const profiling = profiles === undefined ? [] : profilingTo(profiles);
  const commandOf = (subject: Spawned, url: string) => [
    ...(subject === 'bridge' ? profiling : []),
    ...programs[subject](url),
  ];
  const connect: Stage['connect'] = (subject) =>
    subject === 'direct' ? connectDirectly(openUrl) : connectSpawned(commandOf(subject, openUrl), env);
  const lasting = new Map<SubjectName, Promise<Connected>>();

  return {
    isPresent: (subject) => subject !== 'before' || before !== undefined,
    upstreamPid: open.pid,
    start: (subject) => openStdio(commandOf(subject, guardedUrl), env),
    handshakes: () => guarded.ask('handshakes'),
    connect,
    connected: (subject) => {
      const connection = lasting.get(subject) ?? connect(subject);
      lasting.set(subject, connection);
      return connection;
    },
    close: async () => {
      for (const connection of lasting.values()) await (await connection).close();
      await Promise.all([open.kill(), guarded.kill()]);
      await home.remove();
    },
  };
}

function profilingTo(folder: string): string[] {
  const path = resolve(folder);
  return ['--cpu-prof', `--cpu-prof-dir=${path}`, '--heap-prof', `--heap-prof-dir=${path}`];
}
