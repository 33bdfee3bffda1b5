import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openFront } from './front.ts';
import { type Leg, openRunner, type Result, type Runner, type Scenario } from './runner.ts';
import { openUpstream } from './upstream.ts';
import { type Wire, wires } from './wire.ts';

const { values: given } = parseArgs({
  options: {
    short: { type: 'boolean' },
    wire: { type: 'string' },
    scenario: { type: 'string' },
    upstream: { type: 'string' },
  },
});

/** A server scenario that a busy machine fails: it allows less than a second for an answer. */
const measuresTime = 'server-stateless';

/** Why a scenario is not run, by its name. */
const notApplicable = JSON.parse(await readFile(new URL('not-passing.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>;

/** A scenario, and the revision that it is run at; none where it is an extension's. */
type Planned = Scenario & { revision: string | undefined };

let passed = 0;
let failed = 0;

function tell({ leg, name, revision }: Planned, result: Result | undefined, verdict: string): void {
  const counts = result ? [result.passed, result.failures.length] : ['', ''];
  console.log(`| ${[revision ?? 'extension', leg, name, ...counts, verdict].join(' | ')} |`);
}

function judge(planned: Planned, result: Result | undefined): void {
  const passes = result !== undefined && result.failures.length === 0 && result.passed > 0;
  tell(planned, result, passes ? 'passed' : 'failed');
  if (passes) {
    passed += 1;
    return;
  }
  failed += 1;
  console.error(`${result?.failures.join('\n') ?? 'no result'}\n${result?.output ?? ''}`);
}

async function runWire(runner: Runner, scenarios: Planned[]): Promise<void> {
  const reasonFor = ({ name }: Planned) => notApplicable[name];
  for (const planned of scenarios) {
    const reason = reasonFor(planned);
    if (reason !== undefined && !given.short) tell(planned, undefined, reason);
  }
  const applicable = scenarios.filter((planned) => reasonFor(planned) === undefined);
  const of = (leg: Leg) => applicable.filter((planned) => planned.leg === leg);
  const folder = await mkdtemp(join(tmpdir(), 'notion-mcp-bridge-conformance-'));
  for (const planned of of('client'))
    judge(planned, await runner.client(planned.name, planned.revision as string, folder));
  await runServerScenarios(runner, of('server'), folder);
  await rm(folder, { recursive: true });
}

/** All of one revision in one run: what is not asked for is run, too, and not told. */
async function runServerScenarios(runner: Runner, scenarios: Planned[], folder: string): Promise<void> {
  for (const revision of new Set(scenarios.map((planned) => planned.revision as string))) {
    const upstream = await openUpstream();
    const front = await openFront(given.upstream ?? upstream.url, revision);
    const results = await runner.server(front.url, revision, folder);
    for (const planned of scenarios) if (planned.revision === revision) judge(planned, results.get(planned.name));
    front.close();
    upstream.close();
  }
}

/** Each scenario once on each wire that it applies to, at the newest of that wire's revisions. */
function plan(scenarios: Scenario[], wire: Wire): Planned[] {
  return scenarios.flatMap((scenario) => {
    const revision = wire.revisions.find((one) => scenario.revisions.includes(one));
    const wanted =
      given.scenario === undefined ? !given.short || isShort(scenario, wire) : scenario.name === given.scenario;
    return revision !== undefined && wanted ? [{ ...scenario, revision }] : [];
  });
}

function isShort({ leg, name }: Scenario, { short }: Wire): boolean {
  return leg === 'server' ? name !== measuresTime : short.includes(name);
}

const runner = await openRunner();
const scenarios = await runner.scenarios();
console.log(
  `@modelcontextprotocol/conformance ${runner.version}, the built bridge on Node.js ${process.versions.node}\n`,
);
console.log('| revision | leg | scenario | passed | failed | verdict |\n|---|---|---|---|---|---|');
for (const [name, wire] of Object.entries(wires))
  if (given.wire === undefined || given.wire === name) await runWire(runner, plan(scenarios, wire));
if (!given.short && given.scenario === undefined) {
  for (const scenario of scenarios.filter(({ revisions }) => revisions.length === 0)) {
    const reason = notApplicable[scenario.name];
    if (reason === undefined) failed += 1;
    tell({ ...scenario, revision: undefined }, undefined, reason ?? 'not run, and no reason is listed');
  }
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
