/** Every failure that a person can meet (product.md 9). The README's troubleshooting table has a row for each. */
export type ErrorCode =
  | 'REAUTH_REQUIRED'
  | 'AUTHORIZATION_DENIED'
  | 'AUTHORIZATION_TIMED_OUT'
  | 'AUTHORIZATION_SERVER_UNREACHABLE'
  | 'AUTHORIZATION_SERVER_MISBEHAVED'
  | 'CREDENTIALS_UNREADABLE'
  | 'CREDENTIALS_LOCKED'
  | 'UPSTREAM_UNREACHABLE'
  | 'UPSTREAM_REFUSED'
  | 'OUTCOME_UNKNOWN'
  | 'TOOL_HIDDEN'
  | 'CONFIG_INVALID';

/** The one thing to do when nothing more precise is known. */
export const hints: Readonly<Record<ErrorCode, string>> = {
  REAUTH_REQUIRED: 'run `npx -y notion-mcp-bridge login` and approve in the browser',
  AUTHORIZATION_DENIED: 'run `npx -y notion-mcp-bridge login` when you want to connect after all',
  AUTHORIZATION_TIMED_OUT: 'approve in the browser tab that is open, then try again',
  AUTHORIZATION_SERVER_UNREACHABLE: 'check the network, then try again; nothing was lost',
  AUTHORIZATION_SERVER_MISBEHAVED: 'try again later; `npx -y notion-mcp-bridge status` shows what is stored',
  CREDENTIALS_UNREADABLE: 'run `npx -y notion-mcp-bridge status` to see the file, and check its permissions',
  CREDENTIALS_LOCKED: 'try again in a minute; another notion-mcp-bridge process holds the record',
  UPSTREAM_UNREACHABLE: 'check the network, then try again',
  UPSTREAM_REFUSED: 'read the message of the server; `npx -y notion-mcp-bridge status` shows the connection',
  OUTCOME_UNKNOWN: 'look whether the change was made before you repeat it',
  TOOL_HIDDEN: "take `--read-only` or `--hide-tool` out of this app's configuration and restart the app",
  CONFIG_INVALID: 'run `npx -y notion-mcp-bridge --help`',
};

export interface BridgeErrorOptions {
  /** The next step, with the exact command; a default per code exists. */
  hint?: string;
  cause?: unknown;
  /** A sign-in link for the person. Shown, never logged (product.md 7). */
  signInUrl?: string | undefined;
}

/**
 * The one error class of the bridge. Decide by `code`, never by text.
 * `message`: lower case, no full stop, quoting the wire code where there is one.
 */
export class BridgeError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly signInUrl: string | undefined;

  constructor(code: ErrorCode, message: string, options: BridgeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BridgeError';
    this.code = code;
    this.hint = options.hint ?? hints[code];
    this.signInUrl = options.signInUrl;
  }
}

/** The errno of a Node.js system error (`ENOENT`, `ECONNREFUSED`...), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** A short text for a log line: the message, without a stack. */
export function describe(error: unknown): string {
  // A host with several addresses of which none answers: Node.js leaves the message of the whole empty.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** A file of ours, or its folder, refuses; with the hint that fits. */
export function unreadable(verb: 'read' | 'write' | 'lock', path: string, error: unknown): BridgeError {
  const full = errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT';
  return new BridgeError('CREDENTIALS_UNREADABLE', `could not ${verb} ${path} (${errnoOf(error) ?? describe(error)})`, {
    cause: error,
    hint: full
      ? 'free some disk space; nothing was lost'
      : 'check the owner and the permissions of that file and its folder',
  });
}
