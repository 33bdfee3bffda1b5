#!/usr/bin/env node
import manifest from '../package.json' with { type: 'json' };
import { openConnection } from './bridge.ts';
import { systemClock } from './clock.ts';
import type { Command, CommandContext, ExitCode } from './commands/command.ts';
import { help, version } from './commands/help.ts';
import { login } from './commands/login.ts';
import { logout } from './commands/logout.ts';
import { serve } from './commands/serve.ts';
import { status } from './commands/status.ts';
import { type CommandName, readConfig } from './config.ts';
import { BridgeError, describe } from './errors.ts';
import { createLog, type Log, type LogSinks } from './log.ts';
import { createLogFile } from './log-file.ts';
import { createBrowser } from './oauth/browser.ts';

const commands: Record<CommandName, Command> = { serve, login, logout, status, help, version };

async function main(): Promise<ExitCode> {
  const toPerson = (line: string) => void process.stderr.write(line);
  try {
    const config = readConfig(process.argv.slice(2), process.env);
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
    const sinks: LogSinks = { person: toPerson, file: createLogFile(config.folder, config.command) };
    const log = createLog(config.logLevel, sinks, systemClock);
    surviveTheUnforeseen(log);
    const surroundings = {
      config,
      clock: systemClock,
      log,
      random: Math.random,
      openBrowser: createBrowser(desktop(), systemClock),
      version: manifest.version,
    };
    const context: CommandContext = {
      ...surroundings,
      stdio: { input: process.stdin, output: process.stdout },
      isTerminal: { input: process.stdin.isTTY === true, output: process.stdout.isTTY === true },
      stop: stop.signal,
      print: (text) => void process.stdout.write(text),
      openConnection: () => openConnection(surroundings),
    };
    return await commands[config.command](context);
  } catch (error) {
    if (error instanceof BridgeError) {
      toPerson(
        `notion-mcp-bridge: ${error.message} (${error.code})\n${error.signInUrl ? `  link: ${error.signInUrl}\n` : ''}  next: ${error.hint}\n`,
      );
      return error.code === 'CONFIG_INVALID' ? 2 : 1;
    }
    toPerson(`notion-mcp-bridge: failed in an unforeseen way: ${describe(error)}\n`);
    return 1;
  }
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
