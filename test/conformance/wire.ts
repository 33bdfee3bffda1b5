/** A wire of the protocol: which scenarios are run on it, and what the bridge is told so that it speaks it. */
export interface Wire {
  /** The revisions whose scenarios are run, each at the newest of these that it applies to. */
  revisions: readonly string[];
  /** For the bridge's command line. */
  options: readonly string[];
  /** The client scenarios of `--short`: one of each kind, none of which measures time. */
  short: readonly string[];
}

export const wires: Record<string, Wire> = {
  '2025-11-25': {
    revisions: ['2025-11-25', '2025-06-18', '2025-03-26'],
    options: [],
    short: [
      'initialize',
      'tools_call',
      'elicitation-sep1034-client-defaults',
      'auth/metadata-var3',
      'auth/pre-registration',
      'auth/basic-cimd',
      'auth/scope-step-up',
      'auth/scope-retry-limit',
    ],
  },
  '2026-07-28': {
    revisions: ['2026-07-28'],
    options: ['--protocol', '2026-07-28'],
    short: [
      'request-metadata',
      'sep-2322-client-request-state',
      'http-custom-headers',
      'auth/authorization-server-migration',
    ],
  },
};

export function bridgeArguments(revision: string): readonly string[] {
  return Object.values(wires).find(({ revisions }) => revisions.includes(revision))?.options ?? [];
}
