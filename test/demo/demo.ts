// The life of a connection, told on this machine alone: npm run demo [-- --browser]
import { parseArgs } from 'node:util';
import { tellLifeOfConnection } from './life-of-a-connection.ts';
import { openStage } from './stage.ts';
import { createStory } from './story.ts';

const { values } = parseArgs({ options: { browser: { type: 'boolean', default: false } } });
const realBrowser = values.browser;
// A person at a real browser may take their time.
const patience = realBrowser ? 600_000 : 45_000;

const colour = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const story = createStory({ write: (text) => void process.stdout.write(text), colour });

// Handled for as long as the clearing takes: the terminal and npm may both send the signal.
const stopped = new Promise<never>((_resolve, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => reject(new Error(`stopped by ${signal}`)));
  process.stdout.on('error', reject);
  setTimeout(() => reject(new Error(`not over after ${patience / 1000} s`)), patience).unref();
});
stopped.catch(() => {});

const begin = performance.now();
const stage = await openStage(realBrowser);
let failure: unknown;
try {
  story.say('notion-mcp-bridge, shown on this machine alone: no Notion account, no internet');
  story.say(`server  ${stage.upstream.url}, standing in for https://mcp.notion.com/mcp`);
  story.say(`home    ${stage.home.path}, empty, and removed at the end`);
  await Promise.race([tellLifeOfConnection({ stage, story, realBrowser }), stopped]);
} catch (error) {
  failure = error;
}
await stage.clear();
const seconds = ((performance.now() - begin) / 1000).toFixed(1);
if (failure === undefined) {
  story.say(`\nOne sign-in served it all. The demo took ${seconds} s.`);
} else {
  process.stderr.write(`\nthe demo did not finish: ${failure instanceof Error ? failure.message : failure}\n`);
}
process.exit(failure === undefined ? 0 : 1);
