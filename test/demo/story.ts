import { styleText } from 'node:util';

/** A fact that the demo promised does not hold. */
export class BrokenPromise extends Error {
  override name = 'BrokenPromise';
}

/** Prints what happens, with what it took, and stops at the first fact that does not hold. */
export interface Story {
  say(text: string): void;
  chapter(title: string): void;
  /** Runs one step and prints how long it took. */
  step<T>(text: string, work: () => Promise<T>): Promise<T>;
  /** @throws BrokenPromise */
  fact(text: string, seen: unknown, expected: unknown): void;
}

export interface Page {
  write(text: string): void;
  colour: boolean;
}

type Style = Parameters<typeof styleText>[0];

const textWidth = 62;

export function createStory({ write, colour }: Page): Story {
  const paint = (style: Style, text: string) => (colour ? styleText(style, text) : text);
  let chapters = 0;
  return {
    say: (text) => write(`${text}\n`),
    chapter: (title) => {
      chapters += 1;
      write(`\n${paint('bold', `${chapters}. ${title}`)}\n`);
    },
    step: async (text, work) => {
      const begin = performance.now();
      const result = await work();
      const took = `${Math.round(performance.now() - begin)} ms`;
      write(`   ${text.padEnd(textWidth)} ${paint('dim', took.padStart(8))}\n`);
      return result;
    },
    fact: (text, seen, expected) => {
      if (seen === expected) return write(`   ${paint('green', '✓')} ${text}\n`);
      write(`   ${paint('red', '✗')} ${text}\n`);
      throw new BrokenPromise(`${text}: expected ${JSON.stringify(expected)}, saw ${JSON.stringify(seen)}`);
    },
  };
}
