import { homedir } from 'node:os';
import { getProxyForUrl } from 'proxy-from-env';
import manifest from '../package.json' with { type: 'json' };
import { openConnection } from './bridge.ts';
import { systemClock } from './clock.ts';
import type { Command, CommandContext, ExitCode } from './commands/command.ts';
import { showConfig } from './commands/config.ts';
import { doctor } from './commands/doctor.ts';
import { help, version } from './commands/help.ts';
import { createInk } from './commands/ink.ts';
import { install } from './commands/install.ts';
import { login } from './commands/login.ts';
import { logout } from './commands/logout.ts';
import { refresh } from './commands/refresh.ts';
import { serve } from './commands/serve.ts';
import { lineStart } from './commands/spinner.ts';
import { status } from './commands/status.ts';
import { token } from './commands/token.ts';
import { type Config, forConnection, readConfig } from './config.ts';
import { BridgeError, describe } from './errors.ts';
import { createLog, type Log } from './log.ts';
import { createLogFile } from './log-file.ts';
import { createBrowser } from './oauth/browser.ts';
import type { CommandName } from './options.ts';

const commands: Record<CommandName, Command> = {
  serve,
  login,
  logout,
  status,
  doctor,
  refresh,
  token,
  config: showConfig,
  install,
  help,
  version,
};

const toPerson = (line: string) => void process.stderr.write(isMoving(process.stderr) ? `${lineStart}${line}` : line);
const toProgram = (answer: object) => void process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);

async function main(): Promise<ExitCode> {
  let config: Config | undefined;
  try {
    config = readConfig(process.argv.slice(2), process.env);
    return await run(config);
  } catch (error) {
    return explain(error, config);
  }
}

async function run(config: Config): Promise<ExitCode> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  const log = createLog(config.logLevel, { person: toPerson, file: fileOf(config) }, systemClock);
  surviveTheUnforeseen(log);
  const surroundings = {
    config,
    clock: systemClock,
    log,
    random: Math.random,
    proxyFor: getProxyForUrl,
    openBrowser: createBrowser(desktop(), systemClock),
    version: manifest.version,
  };
  const isTerminal = { input: process.stdin.isTTY === true, output: isMoving(process.stdout) };
  const context: CommandContext = {
    ...surroundings,
    stdio: { input: process.stdin, output: process.stdout },
    isTerminal,
    ink: createInk(isTerminal.output, process.env.NO_COLOR),
    stop: stop.signal,
    print: (text) => void process.stdout.write(text),
    tell: (line) => toPerson(`notion-mcp-bridge: ${line}\n`),
    machine: {
      node: process.version,
      platform: process.platform,
      arch: process.arch,
      home: homedir(),
      environment: process.env,
    },
    openConnection: () => openConnection(surroundings),
  };
  return commands[config.command](context);
}

/** A terminal that can go back in a line. */
function isMoving({ isTTY }: NodeJS.WriteStream): boolean {
  return isTTY === true && process.env.TERM !== 'dumb';
}

/** To the person with the link and the next step, to the log without. */
function explain(error: unknown, config: Config | undefined): ExitCode {
  const log = config && createLog(config.logLevel, { file: fileOf(config) }, systemClock);
  if (!(error instanceof BridgeError)) {
    log?.error('failed in an unforeseen way', { why: describe(error) });
    toPerson(`notion-mcp-bridge: failed in an unforeseen way: ${describe(error)}\n`);
    return 1;
  }
  const { message, code, signInUrl } = error;
  log?.error(message, { errorCode: code });
  const link = signInUrl ? `  link: ${signInUrl}\n` : '';
  const hint = config ? forConnection(config, error.hint) : error.hint;
  toPerson(`notion-mcp-bridge: ${message} (${code})\n${link}  next: ${hint}\n`);
  if (config?.json) toProgram({ error: { code, message, link: signInUrl, next: hint } });
  return code === 'CONFIG_INVALID' ? 2 : 1;
}

function fileOf({ folder, command }: Config): (line: string) => void {
  return createLogFile(folder, command);
}

/** Auth or network trouble never ends the process (P6): what nobody foresaw is logged, and the bridge goes on. */
function surviveTheUnforeseen(log: Log): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => log.error('something failed in an unforeseen way', { why: describe(error) }));
  }
}

/** What could show a tab here (product.md 7: opening can fail silently). */
function desktop() {
  const { BROWSER, DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env;
  const isLinux = process.platform === 'linux';
  const hasDesktop = !isLinux || [DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME].some(Boolean);
  return { browser: isLinux ? BROWSER : undefined, hasDesktop };
}

/** For what was printed to go out, ms; a pipe takes what a command prints at once. */
const lastWords = 100;

// Timers and listeners of ours hold nothing; this does, until the command is done (product.md 4).
const hold = setInterval(() => undefined, 2 ** 30);
// A reader that is gone is no reason to fail.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
process.exitCode = await main();
clearInterval(hold);
// Whatever still listens has nothing left to do: every token answer is stored. What was printed goes out first.
process.stdout.write('', () => process.exit());
// To a reader that does not read it never goes out.
setTimeout(() => process.exit(), lastWords);
