import type { ConnectionRecord } from '../../credentials/record.ts';

/** Shorter texts are no secrets, and would be found in everything. */
const shortest = 8;

export interface Redaction {
  add(...secrets: (string | undefined)[]): void;
  apply(text: string): string;
}

/** A server may quote what it was sent, and a report is made to be pasted: what is known to be secret is taken out. */
export function createRedaction(): Redaction {
  const known = new Set<string>();
  return {
    add: (...secrets) => {
      for (const secret of secrets) {
        if (secret === undefined || secret.length < shortest) continue;
        known.add(secret);
        known.add(encodeURIComponent(secret));
      }
    },
    apply: (text) => [...known].sort((one, other) => other.length - one.length).reduce(without, text),
  };
}

function without(text: string, secret: string): string {
  return text.replaceAll(secret, '[redacted]');
}

/** Every text in a record that must not leave it (P10); the link of a sign-in carries its state. */
export function secretsOf({ grant, pendingSignIn }: ConnectionRecord): (string | undefined)[] {
  const { prepared } = pendingSignIn ?? {};
  const clients = [grant?.registration, prepared?.registration] as (RegisteredClient | undefined)[];
  return [
    grant?.tokens.access_token,
    grant?.tokens.refresh_token,
    grant?.previous,
    grant?.alternate?.refresh_token,
    ...clients.flatMap((client) => [client?.client_secret, client?.registration_access_token]),
    ...(prepared?.attempts ?? []).flatMap(({ state, codeVerifier }) => [state, codeVerifier]),
    prepared?.url,
  ];
}

/** RFC 7591 and RFC 7592, as far as it is secret. */
interface RegisteredClient {
  client_secret?: string;
  registration_access_token?: string;
}
