import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultFolder } from './credentials/location.ts';
import { BridgeError, describe } from './errors.ts';
import { isTrustworthy } from './http.ts';
import { type LogLevel, logLevels } from './log.ts';
import type { PreregisteredClient } from './oauth/registration.ts';
import { type CommandName, commandNames, type OptionDescription, type OptionName, optionTable } from './options.ts';

/** Everything that argv and the environment decide. */
export interface Config {
  command: CommandName;
  /** `config` and `install`: the MCP client that is meant, as it was typed. */
  client: string | undefined;
  upstreamUrl: URL;
  profile: string;
  /** A profile or a URL was given; without either, `status` tells of every connection. */
  isNamed: boolean;
  folder: string;
  callbackPort: number | undefined;
  preregistered: PreregisteredClient;
  /** Never open a browser; links only. */
  noBrowser: boolean;
  reauth: boolean;
  /** `login --force`: sign in although connected. `refresh --force`: refresh although fresh. */
  force: boolean;
  /** `token --header`: as a header line. */
  header: boolean;
  json: boolean;
  /** The MCP revision that the server surely speaks, or is to be spoken to in. */
  protocol: string | undefined;
  /** Only tools that are annotated as read-only are shown and called. */
  readOnly: boolean;
  /** Globs for the names of tools that are neither shown nor called. */
  hideTools: string[];
  logLevel: LogLevel;
  /** What was given and differs from the default: a client's entry has to repeat it. */
  options: readonly GivenOption[];
}

/** An option as another process has to be given it: its path is absolute, its URL canonical. Switches have no value. */
export interface GivenOption {
  name: OptionName;
  value?: string;
}

type Values = Partial<Record<OptionName, string | boolean | string[]>>;
export type Environment = Readonly<Record<string, string | undefined>>;

export const defaultUrl = 'https://mcp.notion.com/mcp';
export const defaultProfile = 'default';

/** @throws BridgeError CONFIG_INVALID */
export function readConfig(argv: readonly string[], environment: Environment): Config {
  const { values, positionals } = parse(argv);
  const inherited = fromEnvironment(environment);
  // What one of the two hides is not shown again by the other.
  const hideTools = [inherited, values].flatMap((given) => splitList(given['hide-tool']));
  const settings: Values = { ...inherited, ...values, 'hide-tool': hideTools };
  const text = (name: OptionName) => (typeof settings[name] === 'string' ? settings[name] : undefined);
  const { command, client } = readCommand(positionals, values);
  return {
    command,
    client,
    upstreamUrl: readUrl('url', text('url') ?? defaultUrl),
    profile: readProfile(text('profile') ?? defaultProfile),
    isNamed: text('profile') !== undefined || text('url') !== undefined,
    folder: resolve(text('config-dir') ?? defaultFolder()),
    callbackPort: readPort(text('callback-port')),
    preregistered: readClient(text('client-id'), text('client-secret-file'), text('client-metadata-url')),
    noBrowser: settings['no-browser'] === true,
    reauth: settings.reauth === true,
    force: settings.force === true || (command !== 'refresh' && settings.reauth === true),
    header: settings.header === true,
    json: settings.json === true,
    protocol: readRevision(text('protocol')),
    readOnly: settings['read-only'] === true,
    hideTools,
    logLevel: readLogLevel(text('log-level') ?? defaultLogLevel(command)),
    options: optionsToRepeat(settings),
  };
}

/** A text with the commands in it as they have to be typed to mean this very connection (product.md 9). */
export function forConnection({ profile, upstreamUrl, folder }: Config, text: string): string {
  const words = [
    ...(profile === defaultProfile ? [] : ['--profile', profile]),
    ...(upstreamUrl.href === defaultUrl ? [] : ['--url', upstreamUrl.href]),
    ...(folder === resolve(defaultFolder()) ? [] : ['--config-dir', folder]),
  ];
  const given = words.map((word) => ` ${/^[\w:/.@=-]+$/.test(word) ? word : `"${word}"`}`).join('');
  return text.replace(
    /npx -y notion-mcp-bridge (login|logout|status|doctor|refresh|token|(config|install) [a-z-]+)( --force)?/g,
    (command) => `${command}${given}`,
  );
}

export function wordsOf({ name, value }: GivenOption): string[] {
  return value === undefined ? [`--${name}`] : [`--${name}`, value];
}

function optionsToRepeat(settings: Values): GivenOption[] {
  const defaults: Partial<Record<OptionName, string>> = {
    url: defaultUrl,
    profile: defaultProfile,
    'config-dir': resolve(defaultFolder()),
    'log-level': defaultLogLevel('serve'),
  };
  return (Object.entries(optionTable) as [OptionName, OptionDescription][]).flatMap(([name, option]): GivenOption[] => {
    if (option.environment === undefined) return [];
    return [settings[name]].flat().flatMap((given) => {
      if (given === undefined || given === false) return [];
      if (given === true) return [{ name }];
      const isPath = option.value === 'DIR' || option.value === 'FILE';
      const value = isPath ? resolve(given) : name === 'url' ? readUrl(name, given).href : given;
      return value === defaults[name] ? [] : [{ name, value }];
    });
  });
}

function parse(argv: readonly string[]): { values: Values; positionals: string[] } {
  const options = Object.fromEntries(
    Object.entries(optionTable).map(([name, option]) => [
      name,
      { type: 'value' in option ? 'string' : 'boolean', multiple: 'several' in option } as const,
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
    return { values: withoutEmpty(values as Values), positionals };
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    throw invalid((describe(error).split(/\.\s/)[0] ?? '').toLowerCase());
  }
}

/** A folder without a name would be the working directory, and a client without an ID makes a record that is no record. */
function withoutEmpty(values: Values): Values {
  const isEmpty = (value: unknown) => typeof value === 'string' && value.trim() === '';
  const empty = Object.entries(values).find(([, value]) => [value].flat().some(isEmpty));
  if (empty) throw invalid(`--${empty[0]} has no value`);
  return values;
}

function fromEnvironment(environment: Environment): Values {
  const values: Values = {};
  for (const [name, option] of Object.entries(optionTable) as [OptionName, OptionDescription][]) {
    const given = option.environment === undefined ? undefined : environment[option.environment]?.trim();
    // An MCPB bundle passes options that the user left empty as the literal `${user_config.x}` (clients.md).
    if (given === undefined || given === '' || /^\$\{.*\}$/.test(given)) continue;
    if (option.several) values[name] = [given];
    else values[name] = option.value === undefined ? readSwitch(option.environment as string, given) : given;
  }
  return values;
}

function readSwitch(name: string, given: string): boolean {
  if (/^(1|true|yes|on)$/i.test(given)) return true;
  if (/^(0|false|no|off)$/i.test(given)) return false;
  throw invalid(`${name} is neither true nor false`);
}

function readCommand([given, ...rest]: string[], values: Values): Pick<Config, 'command' | 'client'> {
  if (values.help) return { command: 'help', client: undefined };
  if (values.version) return { command: 'version', client: undefined };
  const command = commandNames.find((name) => name === (given ?? 'serve'));
  if (!command) throw invalid(`unknown command '${given}'`);
  const client = command === 'config' || command === 'install' ? rest.shift() : undefined;
  if (rest.length > 0) throw invalid(`unexpected argument '${rest[0]}'`);
  return { command, client };
}

/** The canonical form is part of the record's name: lower-case host, no default port, no fragment (RFC 8707 section 2). */
function readUrl(name: string, given: string): URL {
  if (!URL.canParse(given)) throw invalid(`--${name} is not a URL: ${given}`);
  const url = new URL(given);
  url.hash = '';
  if (!isTrustworthy(url))
    throw invalid(`--${name} must be https, or http on this machine, without a user name: ${url.host}`);
  return url;
}

/** Names of tools hold neither commas nor spaces. */
function splitList(given: Values[OptionName]): string[] {
  return Array.isArray(given) ? given.flatMap((text) => text.split(/[\s,]+/).filter(Boolean)) : [];
}

function readProfile(given: string): string {
  // Names of files on systems that do not tell upper from lower case.
  if (!/^[a-z0-9][a-z0-9_-]{0,39}$/.test(given))
    throw invalid(`--profile may hold a to z, 0 to 9, "-" and "_": ${given}`);
  return given;
}

function readPort(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const port = Number(given);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid(`--callback-port is not a port: ${given}`);
  return port;
}

function readClient(
  clientId: string | undefined,
  secretFile: string | undefined,
  metadataUrl: string | undefined,
): PreregisteredClient {
  if (secretFile !== undefined && clientId === undefined) throw invalid('--client-secret-file needs --client-id');
  const clientMetadataUrl = metadataUrl === undefined ? undefined : readUrl('client-metadata-url', metadataUrl).href;
  return { clientId, clientSecret: secretFile === undefined ? undefined : readSecret(secretFile), clientMetadataUrl };
}

function readSecret(file: string): string {
  try {
    const secret = readFileSync(file, 'utf8').trim();
    if (secret === '') throw new Error('it is empty');
    return secret;
  } catch (error) {
    throw invalid(`could not read --client-secret-file ${file} (${describe(error)})`, error);
  }
}

function readRevision(given: string | undefined): string | undefined {
  if (given !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(given))
    throw invalid(`--protocol is not a revision such as 2026-07-28: ${given}`);
  return given;
}

/** A server has nothing else to tell with, a command has its own words, and a script or a report wants no more than errors. */
function defaultLogLevel(command: CommandName): LogLevel {
  if (command === 'serve') return 'info';
  return command === 'login' || command === 'logout' || command === 'status' ? 'warn' : 'error';
}

function readLogLevel(given: string): LogLevel {
  const level = logLevels.find((name) => name === given);
  if (!level) throw invalid(`--log-level is none of ${logLevels.join(', ')}: ${given}`);
  return level;
}

function invalid(message: string, cause?: unknown): BridgeError {
  return new BridgeError('CONFIG_INVALID', message, { cause });
}
