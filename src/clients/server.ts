import { resolve } from 'node:path';
import { type Config, defaultProfile, defaultUrl, type Environment, type GivenOption, wordsOf } from '../config.ts';
import { optionTable } from '../options.ts';
import type { Client } from './clients.ts';
import type { Machine } from './places.ts';

/** The bridge as a client starts it. */
export interface Server {
  /** Of the entry: `notion`, or a name of its own for another profile or another upstream. */
  name: string;
  command: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Variables that are set here, but hold a password, so that they are in no entry. */
  withheld: readonly string[];
}

const proxies = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];

export function serverFor(client: Client, config: Config, machine: Machine): Server {
  const isWindows = machine.platform === 'win32';
  const unsafe = isWindows ? config.options.filter(({ value }) => value && !survivesCmd(value)) : [];
  const words = config.options.filter((option) => !unsafe.includes(option)).flatMap(wordsOf);
  const npx = ['npx', '-y', 'notion-mcp-bridge', ...words];
  // Node cannot start npx.cmd by itself there (clients.md).
  const [command = '', ...args] = isWindows ? ['cmd', '/c', ...npx] : npx;
  const network = client.keepsEnvironment ? [] : networkVariables(machine);
  const isPublic = ([, value]: [string, string]) => !value.includes('@');
  return {
    name: nameOf(config),
    command,
    args,
    env: { ...variablesOf(unsafe), ...Object.fromEntries(network.filter(isPublic)) },
    withheld: network.filter((variable) => !isPublic(variable)).map(([name]) => name),
  };
}

function nameOf({ upstreamUrl, profile }: Config): string {
  const server = upstreamUrl.href === defaultUrl ? 'notion' : upstreamUrl.host.replace(/[^a-z0-9]+/g, '-');
  const name = profile === defaultProfile ? server : `${server}-${profile}`;
  return name.replace(/^-|-$/g, '');
}

/** No argument may need quotes where cmd.exe stands in between; what does goes into the environment. */
function survivesCmd(value: string): boolean {
  return /^[\w:/\\.@=+~*-]+$/.test(value);
}

/** What is given more than once stands in one variable, with commas between. */
function variablesOf(options: readonly GivenOption[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const { name, value = 'true' } of options) {
    const option = optionTable[name];
    const variable = 'environment' in option ? option.environment : '';
    variables[variable] = variable in variables ? `${variables[variable]},${value}` : value;
  }
  return variables;
}

/** What the way to the network depends on here, and a client's child would not get (clients.md). */
function networkVariables({ environment }: Machine): [string, string][] {
  const certificates = environment.NODE_EXTRA_CA_CERTS;
  const values: Environment = {
    ...Object.fromEntries(proxies.map((name) => [name, environment[name.toLowerCase()] || environment[name]])),
    // The working directory of the child is another one.
    NODE_EXTRA_CA_CERTS: certificates && resolve(certificates),
    NODE_USE_SYSTEM_CA: environment.NODE_USE_SYSTEM_CA,
  };
  return Object.entries(values).filter((variable): variable is [string, string] => Boolean(variable[1]));
}

/** For the person, about each variable that was left out. */
export function notesOn({ withheld }: Server): string[] {
  return withheld.map(
    (name) => `${name} holds a password, so it is left out; add it to the "env" of the entry yourself`,
  );
}
