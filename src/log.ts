import type { Clock } from './clock.ts';

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFields = Record<string, string | number | boolean | undefined>;

/** One line per event. `event`: lower case, no full stop. Values go into named fields only, so that they can be redacted. */
export interface Log {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
}

/** Where finished lines go. `person` is stderr, `file` the rotating file; either may be absent. */
export interface LogSinks {
  person?: (line: string) => void;
  file?: (line: string) => void;
}

/** P10: a field of such a name is never written, whatever its value. */
const secretField = /token|secret|code|verifier|state|authorization|url$|key|password|cookie/i;
const publicFields = new Set(['errorCode', 'state', 'statusCode', 'exitCode', 'oauthError', 'upstreamUrl']);

export function createLog(level: LogLevel, sinks: LogSinks, clock: Clock): Log {
  const threshold = logLevels.indexOf(level);
  const write = (at: LogLevel, event: string, fields: LogFields = {}) => {
    const text = [oneLine(event), ...Object.entries(fields).flatMap(formatField)].join(' ');
    sinks.file?.(`${new Date(clock.now()).toISOString()} ${at} ${text}\n`);
    if (logLevels.indexOf(at) <= threshold) sinks.person?.(`notion-mcp-bridge: ${text}\n`);
  };
  return {
    error: (event, fields) => write('error', event, fields),
    warn: (event, fields) => write('warn', event, fields),
    info: (event, fields) => write('info', event, fields),
    debug: (event, fields) => write('debug', event, fields),
  };
}

function formatField([name, value]: [string, LogFields[string]]): string[] {
  if (value === undefined) return [];
  if (secretField.test(name) && !publicFields.has(name)) return [`${name}=[redacted]`];
  const text = oneLine(String(value));
  return [`${name}=${/[\s"]/.test(text) ? JSON.stringify(text) : text}`];
}

/** What a server says may be part of any text (product.md 11): no line of its own, no control sequence, no flood. */
export function oneLine(text: string, longest = 500): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, longest);
}
