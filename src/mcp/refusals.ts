import { untilAborted } from '../clock.ts';
import { emptyResult, isUnknownMethod, resultTo } from './answers.ts';
import {
  codeOf,
  headerMismatch,
  isModernRevision,
  missingCapability,
  revisionOf,
  supportedBy,
  unsupportedVersion,
} from './eras.ts';
import type { Delivery } from './exchange.ts';
import type { Hands } from './hands.ts';
import type { Request } from './messages.ts';
import { unsupportedLine } from './modern-answers.ts';
import type { StatelessUpstream } from './stateless-upstream.ts';
import type { UpstreamEra } from './upstream-era.ts';

interface RefusalsOptions {
  upstream: StatelessUpstream;
  era: UpstreamEra;
  headersOf(request: Request): Record<string, string>;
  /** Reads the tools again. */
  listTools(): Promise<void>;
}

/** Refusals in which a server that does not know the era says so in words of its own (2026-07-28, Backward Compatibility). */
const otherEra = new Set([400, 404, 405]);

/**
 * What the refusal of a modern request means: gives the line to answer with, 'again' when it can be cured, or nothing when
 * it is what upstream says.
 */
export function createRefusals({ upstream, era, headersOf, listTools }: RefusalsOptions) {
  return async function judge(delivery: Delivery & { kind: 'refused' }, request: Request, hands: Hands) {
    const { error, status } = delivery;
    const code = codeOf(error);
    if (isUnknownMethod({ error })) {
      const empty = emptyResult(request.method);
      return empty && resultTo(request, empty);
    }
    if (code === headerMismatch) return mirrorAnew(request, hands);
    if (code === unsupportedVersion) await relearn(supportedBy(error), revisionOf(request));
    if (code === unsupportedVersion || code === missingCapability || !otherEra.has(status)) return undefined;
    await upstream.connect(hands).catch(() => undefined);
    return era.isModern() === false ? unsupportedLine(request.id, revisionOf(request)) : undefined;
  };

  /** The client hears it, and goes on in another revision; so does the next one, by our answer to `server/discover`. */
  async function relearn(supported: string[], refused: unknown) {
    if (!supported.some(isModernRevision)) return era.learn('legacy');
    if (supported.some((revision) => revision === refused)) return;
    await era.learn({ result: { ...era.discovered(), supportedVersions: supported } });
  }

  /** Upstream did not look at the call; its tool may have other annotations by now (2026-07-28, Client Behavior). */
  async function mirrorAnew(request: Request, hands: Hands) {
    if (request.method !== 'tools/call') return undefined;
    const before = JSON.stringify(headersOf(request));
    await untilAborted(listTools(), hands.signal);
    return JSON.stringify(headersOf(request)) === before ? undefined : 'again';
  }
}
