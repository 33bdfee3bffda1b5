import { type Config, forConnection } from '../config.ts';
import { type ConnectionRecord, expectedEnd, isConnected } from '../credentials/record.ts';
import type { Command } from './command.ts';

/** What the record says, without the network. Exit code 0 when connected, else 1. */
export const status: Command = async ({ config, clock, print, openConnection }) => {
  const { store, counters } = openConnection();
  const record = await store.load();
  const facts = describeRecord(record, config, clock.now());
  const all = {
    profile: config.profile,
    upstream: config.upstreamUrl.href,
    ...facts,
    ...counters.read(),
    record: store.path,
  };
  print(config.json ? `${JSON.stringify(all, undefined, 2)}\n` : toLines(all));
  store.close();
  return isConnected(record) ? 0 : 1;
};

type Facts = Record<string, string | number | undefined>;

/** Nothing secret: no token, no code, no verifier (P10). The sign-in link is for this person. */
function describeRecord(record: ConnectionRecord, config: Config, now: number): Facts {
  const { grant, pendingSignIn, refreshUnderWay, reason } = record;
  const end = expectedEnd(record);
  return {
    state: record.state,
    reason: record.state === 'needs_reconnect' ? reason : undefined,
    workspace: grant?.identity.workspace_name,
    issuer: grant?.issuer,
    clientId: grant?.registration.client_id,
    signedIn: grant && date(grant.authorizedAt),
    grantAge: grant && duration(now - grant.authorizedAt),
    grantExpectedToEnd: end === undefined ? undefined : date(end),
    refreshed: grant && date(grant.refreshedAt),
    accessTokenExpires: grant && date(grant.tokens.expiresAt),
    refreshUnderWaySince: refreshUnderWay && date(refreshUnderWay.since),
    signInLink: pendingSignIn?.prepared?.url,
    next: nextStep(record, config),
  };
}

function nextStep(record: ConnectionRecord, config: Config): string | undefined {
  if (isConnected(record)) return undefined;
  if (record.pendingSignIn?.prepared) return 'open the sign-in link and approve';
  return forConnection(config, 'run `npx -y notion-mcp-bridge login`');
}

function toLines(facts: Facts): string {
  const shown = Object.entries(facts).filter((fact) => fact[1] !== undefined);
  const label = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(' id', ' ID');
  const width = Math.max(...shown.map(([name]) => label(name).length)) + 2;
  return shown.map(([name, value]) => `${label(name).padEnd(width)}${value}\n`).join('');
}

function date(ms: number): string {
  const time = new Date(ms);
  // A record that was written by hand may hold anything.
  return Number.isNaN(time.getTime()) ? 'unknown' : time.toISOString();
}

function duration(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}
