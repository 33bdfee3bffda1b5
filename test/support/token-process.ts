import { systemClock } from '../../src/clock.ts';
import { locate } from '../../src/credentials/location.ts';
import { createStore } from '../../src/credentials/store.ts';
import { createHttp } from '../../src/http.ts';
import { createLog } from '../../src/log.ts';
import { createTokenSource } from '../../src/token-source.ts';
import { answerParent } from './answer-parent.ts';

// A process with a token source of its own on the store in argv[2], for the upstream argv[3], argv[4] ms ahead of time.
const [folder = '', upstreamUrl = '', ahead = '0'] = process.argv.slice(2);
const clock = { ...systemClock, now: () => systemClock.now() + Number(ahead) };
const location = locate(folder, 'default', new URL(upstreamUrl));
const log = createLog('error', {}, clock);
const store = createStore({ location, upstreamUrl, clock, log });
const tokens = createTokenSource({ store, http: createHttp(clock), clock, log, random: () => 0.5 });

const verbs = answerParent({
  current: async () => (await tokens.current({ signal: new AbortController().signal }))?.value,
  /** Waits for what goes on in the background. */
  settled: () => tokens.settled(),
});

export type TokenVerbs = typeof verbs;
