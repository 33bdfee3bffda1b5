import { rejects } from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { builtBridge, openHome, strippedEnvironment, type TemporaryHome } from '../support/spawn-client.ts';
import { bridgeArguments } from './wire.ts';

/**
 * The client that the runner tests: the SDK's, over the built bridge. The runner starts this program once per scenario, with
 * the URL of the scenario's server as its argument, and the scenario's name and what it hands out in the environment.
 */
const { MCP_CONFORMANCE_SCENARIO: scenario = '', MCP_CONFORMANCE_PROTOCOL_VERSION: wire = '' } = process.env;
const handedOut = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as HandedOut;

interface HandedOut {
  client_id?: string;
  client_secret?: string;
  toolCalls?: { name: string; arguments: Record<string, unknown> }[];
}

/** What the scenarios' authorization server takes for a client ID that is a URL; nobody fetches it. */
const metadataDocument = 'https://conformance-test.local/client-metadata.json';

/** What a user would add to the bridge's command line for this scenario's server. */
async function optionsFor(home: TemporaryHome): Promise<string[]> {
  if (scenario === 'auth/basic-cimd') return ['--client-metadata-url', metadataDocument];
  if (handedOut.client_id === undefined) return [];
  const file = join(home.path, 'client-secret');
  await writeFile(file, handedOut.client_secret ?? '', { mode: 0o600 });
  return ['--client-id', handedOut.client_id, '--client-secret-file', file];
}

async function connect(home: TemporaryHome, url: string): Promise<Client> {
  const capabilities = { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} };
  const client = new Client(
    { name: 'conformance-client', version: '1.0.0' },
    { capabilities, versionNegotiation: { mode: wire < '2026-07-28' ? 'legacy' : { pin: wire } } },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: {} }));
  const args = [builtBridge, '--url', url, ...bridgeArguments(wire), ...(await optionsFor(home))];
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args,
      env: strippedEnvironment(home),
      cwd: '/',
      stderr: 'inherit',
    }),
  );
  return client;
}

type Call = (name: string, args?: Record<string, unknown>) => Promise<void>;
type Tools = Awaited<ReturnType<Client['listTools']>>['tools'];

/** Their servers have lists, and nothing else. */
const onlyLists = new Set(['request-metadata', 'json-schema-ref-no-deref']);

/** Scenarios that want something else than every tool called once. */
const plays: Record<string, (call: Call, tools: Tools) => Promise<void>> = {
  'json-schema-2020-12-preservation': async (call, tools) => {
    const observed = tools.find(({ name }) => name === 'json_schema_2020_12_tool');
    await call('json_schema_echo', { schema: observed?.inputSchema });
  },
  // The SDK's client is to take a result without `resultType` for complete (2026-07-28, ResultType), and refuses it. That it
  // came as it was sent, and that nobody asked again, is the bridge's part.
  'sep-2322-client-request-state': async (call, tools) => {
    const typeless = 'test_mrtr_no_result_type';
    const others = tools.filter(({ name }) => name !== typeless);
    await Promise.all(others.map((tool) => callEach(call, [tool])));
    await rejects(call(typeless), { data: { method: 'tools/call', violation: 'missing-resultType' } });
  },
};

const callEach = async (call: Call, tools: Tools) => {
  for (const { name, inputSchema } of tools) {
    const wanted = (inputSchema.required ?? []) as string[];
    await call(name, Object.fromEntries(wanted.map((argument, nth) => [argument, nth + 2])));
  }
};

async function readEverything(client: Client): Promise<void> {
  for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
  for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
}

async function play(client: Client): Promise<void> {
  const call: Call = async (name, args = {}) => {
    const result = await client.callTool({ name, arguments: args });
    if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
  };
  const { tools } = await client.listTools();
  if (tools.some(({ name }) => name === 'notion-connect')) throw new Error('the bridge is not connected');
  if (onlyLists.has(scenario)) return;
  if (scenario === 'http-standard-headers') await readEverything(client);
  if (handedOut.toolCalls) for (const { name, arguments: args } of handedOut.toolCalls) await call(name, args);
  else await (plays[scenario] ?? callEach)(call, tools);
}

/** The runner's own limit ends the shell around this program only. */
const patience = setTimeout(() => {
  console.error('the scenario did not come to its end in time');
  process.exit(1);
}, 35_000);
const home = await openHome('follows');
try {
  const client = await connect(home, process.argv[2] ?? '');
  await play(client).finally(() => client.close());
} finally {
  await home.remove();
  clearTimeout(patience);
}
