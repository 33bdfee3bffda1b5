import { errnoOf } from '../../src/errors.ts';

// biome-ignore lint/suspicious/noExplicitAny: the arguments of any function
export type Verbs = Record<string, (...args: any[]) => unknown>;

export interface Question {
  id: number;
  verb: string;
  args: unknown[];
}

export interface Answer {
  id: number;
  value?: unknown;
  error?: { message: string; code: string | undefined };
}

/** The other side of `startProcess`: announces itself with answer 0, then answers until the parent is gone. */
export function answerParent<V extends Verbs>(verbs: V): V {
  const send = (answer: Answer) => process.send?.(answer);
  process.on('message', async ({ id, verb, args }: Question) => {
    try {
      send({ id, value: await verbs[verb]?.(...args) });
    } catch (error) {
      send({ id, error: { message: String(error), code: errnoOf(error) } });
    }
  });
  process.once('disconnect', () => process.exit());
  send({ id: 0 });
  return verbs;
}
