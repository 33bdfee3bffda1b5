import type { CommandContext } from './command.ts';

const frames = ['|', '/', '-', '\\'];
const turn = 250;
/** Over whatever a spinner has written there. */
export const lineStart = '\r\u001b[K';

/** Tells that something is waited for: on a terminal in a line that moves and counts, elsewhere in one that is printed once. */
export function startSpinner(
  { clock, print, isTerminal }: Pick<CommandContext, 'clock' | 'print' | 'isTerminal'>,
  text: string,
): { stop(): void } {
  if (!isTerminal.output) {
    print(`${text}...\n`);
    return { stop: () => undefined };
  }
  const over = new AbortController();
  const since = clock.monotonic();
  const spin = async () => {
    for (let nth = 0; !over.signal.aborted; nth++) {
      print(`${lineStart}${frames[nth % frames.length]} ${text} (${elapsed(clock.monotonic() - since)})`);
      await clock.sleep(turn, over.signal);
    }
  };
  void spin();
  return {
    stop: () => {
      if (over.signal.aborted) return;
      over.abort();
      print(lineStart);
    },
  };
}

function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
