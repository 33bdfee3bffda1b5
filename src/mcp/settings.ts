import type { Forwarded } from './forwarding.ts';
import type { Hands } from './hands.ts';
import { type Request, resultLine } from './messages.ts';

interface SettingsOptions {
  forward(forwarded: Forwarded): Promise<string | undefined>;
  newHands(): Hands;
  /** Resolves with undefined when it takes too long for a client that waits. */
  inTime<T>(live: Promise<T>): Promise<T | undefined>;
}

/** What a session forgets and the client does not set again: its log level and its subscriptions (product.md 8). */
export interface Settings {
  isSetting(request: Request): boolean;
  /** Upstream's own answer when that comes in time, else `{}`: the setting is remembered, and set once upstream takes it. */
  answer(raw: string, request: Request): Promise<string | undefined>;
  /** The requests that bring a new session to the same state. */
  all(): { method: string; params: Record<string, unknown> }[];
}

const settingMethods = new Set(['logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']);

export function createSettings({ forward, newHands, inTime }: SettingsOptions): Settings {
  let level: Record<string, unknown> | undefined;
  const subscriptions = new Map<unknown, Record<string, unknown>>();
  /** What is still on its way, by what it sets. */
  const underWay = new Map<unknown, Hands>();

  const note = ({ method, params = {} }: Request) => {
    if (method === 'logging/setLevel') level = params;
    else if (method === 'resources/subscribe') subscriptions.set(params.uri, params);
    else subscriptions.delete(params.uri);
  };

  const answer: Settings['answer'] = async (raw, request) => {
    note(request);
    const subject = request.params?.uri;
    // An older one that still waits for upstream must not arrive after this one.
    underWay.get(subject)?.drop();
    const hands = newHands();
    underWay.set(subject, hands);
    const forwarded = forward({ raw, request, hands })
      .then((line) => ({ line }))
      .catch(() => undefined)
      .finally(() => {
        hands.release();
        if (underWay.get(subject) === hands) underWay.delete(subject);
      });
    const told = await inTime(forwarded);
    return told ? told.line : resultLine(request.id, {});
  };

  const all = () => [
    ...(level ? [{ method: 'logging/setLevel', params: level }] : []),
    ...[...subscriptions.values()].map((params) => ({ method: 'resources/subscribe', params })),
  ];

  return { isSetting: ({ method }) => settingMethods.has(method), answer, all };
}
