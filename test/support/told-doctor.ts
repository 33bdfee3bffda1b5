import { expect } from 'vitest';
import type { ConnectionRecord } from '../../src/credentials/record.ts';
import { runCommand } from './run-command.ts';
import type { Ended, Home } from './spawn-bridge.ts';
import { secretsOf } from './told-status.ts';

/** A line of the report. */
export interface ToldFinding {
  name: string;
  verdict: 'fine' | 'warning' | 'failed' | 'not checked';
  what: string;
  fault?: string;
  fix?: string;
}

export interface ToldDoctor {
  code: number | null;
  verdict: string;
  names: string[];
  /** Of the check of this name. */
  finding(name: string): ToldFinding;
  /** The names of the checks with this verdict. */
  all(verdict: ToldFinding['verdict']): string[];
}

/** Also what `status` may show, since that is for the person alone: the link, and the state in it. */
function everySecretOf(record: ConnectionRecord): string[] {
  const { prepared } = record.pendingSignIn ?? {};
  const states = prepared?.attempts.map(({ state }) => state) ?? [];
  const clients = [record.grant?.registration, prepared?.registration] as ({ [name: string]: unknown } | undefined)[];
  const ofClients = clients.flatMap((client) => [client?.client_secret, client?.registration_access_token]);
  const texts = [...ofClients, prepared?.url].filter((secret) => typeof secret === 'string');
  return [...secretsOf(record), ...states, ...texts];
}

/** Runs it; nothing that the record held before or holds after may be in what it says. */
export async function runDoctor(home: Home, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const before = await home.record().catch(() => undefined);
  const ended = await runCommand(home, ['doctor', ...args], env).ended;
  const after = await home.record().catch(() => undefined);
  for (const record of [before, after])
    for (const secret of record ? everySecretOf(record) : []) expect(ended.stdout + ended.stderr).not.toContain(secret);
  return ended;
}

/** What `doctor --json` tells. */
export async function toldDoctor(
  home: Home,
  url: string,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): Promise<ToldDoctor> {
  const { code, stdout, stderr } = await runDoctor(home, ['--json', '--url', url, ...args], env);
  expect(stderr).toBe('');
  const { verdict, checks } = JSON.parse(stdout) as { verdict: string; checks: ToldFinding[] };
  // Whatever is wrong says whose fault it is and what to do.
  for (const one of checks.filter((check) => check.verdict === 'failed' || check.verdict === 'warning'))
    expect(one).toMatchObject({
      fault: expect.stringMatching(/^(this machine|the grant|the server)$/),
      fix: expect.any(String),
    });
  expect(code).toBe(checks.some((check) => check.verdict === 'failed') ? 1 : 0);
  return {
    code,
    verdict,
    names: checks.map(({ name }) => name),
    finding: (name) => checks.find((check) => check.name === name) ?? expect.fail(`no check is called ${name}`),
    all: (wanted) => checks.filter((check) => check.verdict === wanted).map(({ name }) => name),
  };
}
