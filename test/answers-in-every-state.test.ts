import { describe, expect, test } from 'vitest';
import { inTrouble } from './states/in-trouble.ts';
import { play, promised, type State } from './states/play.ts';
import { served } from './states/served.ts';
import { signedOut } from './states/signed-out.ts';

/** Those that last longest come first. */
const states: Record<string, State> = { ...signedOut, ...inTrouble, ...served };

/** How many are asked at a time; those that then only wait are in nobody's way. */
const sideBySide = 2;

describe('what a client gets, and how fast (product.md 4, P6), when', () => {
  let played: Map<string, Promise<unknown>> | undefined;

  for (const [title, state] of Object.entries(states)) {
    test(title, { timeout: 180_000 }, async ({ task }) => {
      const wanted = task.suite?.tasks.filter(({ mode }) => mode === 'run').map(({ name }) => name) ?? [];
      played ??= playAll(wanted);
      expect(await played.get(title)).toEqual(promised(state));
    });
  }
});

function playAll(titles: string[]): Map<string, Promise<unknown>> {
  const takeTurn = createTurns(sideBySide);
  const playInTurn = async (state: State) => {
    const giveBack = await takeTurn();
    return play(state, giveBack).finally(giveBack);
  };
  return new Map(
    titles.map((title) => {
      const played = playInTurn(states[title] as State);
      // Told by its own test.
      played.catch(() => undefined);
      return [title, played];
    }),
  );
}

/** Turns at the machine, each with the function that gives it back. */
function createTurns(most: number): () => Promise<() => void> {
  const waiting: (() => void)[] = [];
  let free = most;
  const pass = () => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  return async () => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    let mine = true;
    return () => {
      if (mine) pass();
      mine = false;
    };
  };
}
