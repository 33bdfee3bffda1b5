/** What happened in a run, for the person who has to understand it. */
export interface Story {
  tell(who: string, what: string): void;
  lines(): string[];
}

/** Kept only when somebody wants to read it: a run has a million moments. */
export function createStory(now: () => number, start: number, isWanted: boolean): Story {
  const lines: string[] = [];
  return {
    tell: (who, what) => {
      if (isWanted) lines.push(`${stamp(now() - start)}  ${who.padEnd(10)} ${what}`);
    },
    lines: () => lines,
  };
}

function stamp(ms: number): string {
  const day = Math.floor(ms / 86_400_000);
  return `day ${String(day).padStart(2)} ${new Date(ms % 86_400_000).toISOString().slice(11, 23)}`;
}
