import { forConnection } from '../config.ts';
import { oneLine } from '../log.ts';
import type { Command, CommandContext } from './command.ts';
import type { Fault, Finding, Verdict } from './doctor/examination.ts';
import { createRedaction } from './doctor/redaction.ts';
import { examine, noteSecrets } from './doctor/report.ts';
import type { Ink } from './ink.ts';
import { isoTime, plural } from './readable-time.ts';

type NamedFinding = Finding & { name: string };

const longestText = 600;

/**
 * Looks at everything that the connection depends on, and says what is wrong, whose fault it is, and what to do. Nothing
 * secret is in it. Exit code 0 when nothing failed.
 */
export const doctor: Command = async (context) => {
  const { config, print } = context;
  const connection = context.openConnection();
  const redaction = createRedaction();
  const findings: NamedFinding[] = [];
  try {
    if (!config.json) print(headOf(context));
    for (const { name, finding } of examine(context, connection)) {
      const found = await finding;
      noteSecrets(redaction, context, connection);
      const clean = (text: string) => redaction.apply(oneLine(text, longestText));
      const { what, fix } = found;
      const next = fix === undefined ? {} : { fix: clean(forConnection(config, fix)) };
      findings.push({ name, ...found, what: clean(what), ...next });
      if (!config.json) print(lineOf(findings.at(-1) as NamedFinding, context.ink));
    }
    print(config.json ? asJson(context, findings) : summaryOf(findings, context.ink));
  } finally {
    // A refresh that the check of the server has sent is waited for.
    await connection.close();
  }
  return findings.some(({ verdict }) => verdict === 'failed') ? 1 : 0;
};

/** The query of a server's URL may hold a key. */
function nameOf({ upstreamUrl }: CommandContext['config']): string {
  return `${upstreamUrl.origin}${upstreamUrl.pathname}`;
}

function headOf({ config, ink }: CommandContext): string {
  return `${ink.dim(`profile ${config.profile} at ${nameOf(config)}`)}\n\n`;
}

const inks: Record<Verdict, (ink: Ink) => (text: string) => string> = {
  fine: (ink) => ink.good,
  warning: (ink) => ink.warn,
  failed: (ink) => ink.bad,
  'not checked': (ink) => ink.dim,
};

function lineOf({ name, verdict, what, fault, fix }: NamedFinding, ink: Ink): string {
  const verdictColumn = inks[verdict](ink)(verdict.padEnd(13));
  const next = fix === undefined ? '' : `${' '.repeat(28)}next: ${fix}\n`;
  return `${verdictColumn}${name.padEnd(15)}${what}${fault === undefined ? '' : ` [${fault}]`}\n${next}`;
}

function summaryOf(findings: NamedFinding[], ink: Ink): string {
  const count = (verdict: Verdict) => findings.filter((one) => one.verdict === verdict);
  const failures = count('failed');
  const warnings = count('warning');
  if (failures.length > 0) return `\n${ink.bad(`${failures.length} failed`)}: ${blameOf(failures)}\n`;
  if (warnings.length > 0) return `\n${ink.warn(plural(warnings.length, 'warning'))}: ${blameOf(warnings)}\n`;
  return `\n${ink.good('everything is fine')}\n`;
}

/** "this machine (dns, clock), the server (discovery)" */
function blameOf(findings: NamedFinding[]): string {
  const byFault = new Map<Fault, string[]>();
  for (const { fault, name } of findings) if (fault) byFault.set(fault, [...(byFault.get(fault) ?? []), name]);
  return [...byFault].map(([fault, names]) => `${fault} (${names.join(', ')})`).join(', ');
}

function asJson({ config, version, clock }: CommandContext, findings: NamedFinding[]): string {
  const worst = (['failed', 'warning', 'fine'] as const).find((one) => findings.some(({ verdict }) => verdict === one));
  const report = { version, time: isoTime(clock.now()), profile: config.profile, upstream: nameOf(config) };
  return `${JSON.stringify({ ...report, verdict: worst, checks: findings }, undefined, 2)}\n`;
}
