/** Colour for a person's eyes; elsewhere every text stays as it is. */
export interface Ink {
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
  /** A link that a click opens however the terminal breaks its lines (OSC 8). */
  link(url: string): string;
}

const unchanged = (text: string) => text;
export const plainInk: Ink = { good: unchanged, warn: unchanged, bad: unchanged, dim: unchanged, link: unchanged };

const esc = '\u001b';
const coloured = (colour: number) => (text: string) => `${esc}[${colour}m${text}${esc}[39m`;
const colourfulInk: Ink = {
  good: coloured(32),
  warn: coloured(33),
  bad: coloured(31),
  dim: (text) => `${esc}[2m${text}${esc}[22m`,
  link: (url) => `${esc}]8;;${url}${esc}\\${url}${esc}]8;;${esc}\\`,
};

/** `noColor`: the value of NO_COLOR, which counts unless it is empty (no-color.org). */
export function createInk(isTerminal: boolean, noColor: string | undefined): Ink {
  return isTerminal && !noColor ? colourfulInk : plainInk;
}
