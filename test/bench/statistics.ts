export interface Summary {
  median: number;
  least: number;
  most: number;
}

/** The figure that this share of them does not exceed (nearest rank). */
export function percentile(figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Of the rounds; undefined where one of them has no figure. */
export function summarize(figures: readonly (number | undefined)[]): Summary | undefined {
  const known = figures.filter((figure) => figure !== undefined);
  if (known.length === 0 || known.length < figures.length) return undefined;
  const sorted = known.toSorted((one, other) => one - other);
  const middle = ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
  return { median: middle, least: sorted[0] as number, most: sorted[sorted.length - 1] as number };
}
