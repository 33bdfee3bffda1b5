import { parseArgs } from 'node:util';
import { startUpstream, type Upstream } from './upstream.ts';

const OPTIONS = {
  port: { type: 'string', default: '0' },
  mode: { type: 'string', default: 'lenient' },
  'access-token-ttl': { type: 'string', default: '3600' },
  'test-tools': { type: 'boolean', default: false },
  'no-auth': { type: 'boolean', default: false },
} as const;

const { values } = parseArgs({ options: OPTIONS });
if (values.mode !== 'lenient' && values.mode !== 'strict') {
  console.error(`--mode is lenient or strict, not ${values.mode}`);
  process.exit(2);
}

const upstream = await startUpstream({
  port: Number(values.port),
  mode: values.mode,
  accessTokenTtl: Number(values['access-token-ttl']),
  testTools: values['test-tools'],
  auth: !values['no-auth'],
});
console.log(welcome(upstream));
process.once('SIGINT', stop).once('SIGTERM', stop);
process.stdin.once('end', stop).resume();

function welcome({ url, origin }: Upstream): string {
  return `embedded upstream at ${url}

Try it with the bridge, in another terminal:
  npm run dev -- login --url ${url}
  npm run dev -- --url ${url}
Its authorization server is ${origin} (${values.mode}); everything is in memory and ends with it.
Ctrl-C stops it.`;
}

async function stop(): Promise<void> {
  process.stdin.pause();
  await upstream[Symbol.asyncDispose]();
}
