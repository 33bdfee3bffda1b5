import { answerParent } from '../support/answer-parent.ts';
import { startUpstream } from '../support/upstream/upstream.ts';

// The embedded upstream in a process of its own, so that it does not share a thread with who measures.

const upstream = await startUpstream({ testTools: true, auth: process.argv[2] === 'auth' });

const verbs = {
  url: () => upstream.url,
  /** How many sessions were opened so far. */
  handshakes: () => upstream.count({ rpc: 'initialize', status: 200 }),
};

export type UpstreamVerbs = typeof verbs;

answerParent(verbs);
