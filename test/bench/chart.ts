import type { Benchmark } from './benchmark.ts';
import { figureOf, type Outcome, subjectNames, titleOf } from './outcome.ts';
import type { SubjectName } from './subjects.ts';

/** What a reader of the README cares about, in this order. */
const charted = [
  'initialize',
  'tools-list',
  'small-p50',
  'large-p50',
  'in-flight-small-throughput',
  'in-flight-large-throughput',
  'memory-at-rest',
  'memory-after-large',
];

const panel = { width: 380, gap: 40, title: 20, bar: 16, space: 4, label: 88, value: 62, below: 18 };
const margin = 16;

/** Everything holds against white and against dark, and the text follows the reader's scheme where the reader tells. */
const style = `
  text { font: 12px system-ui, sans-serif; fill: #6e7781 }
  .title { font-weight: 600 }
  .bridge { fill: #2da44e } .mcp-remote { fill: #bf5b3d } .direct { fill: #4f8fd9 } .bare-Node { fill: #8c959f }
  @media (prefers-color-scheme: light) { text { fill: #24292f } .note { fill: #57606a } }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } }
`;

/** Bars for the main rows, as an SVG that needs nothing else. */
export function chartOf({ outcomes, machine }: Benchmark): string {
  const shown = charted.flatMap((key) => outcomes.filter(({ row }) => row.key === key));
  let y = margin;
  const parts: string[] = [];
  for (let nth = 0; nth < shown.length; nth += 2) {
    const pair = shown.slice(nth, nth + 2);
    for (const [column, outcome] of pair.entries())
      parts.push(panelOf(outcome, margin + column * (panel.width + panel.gap), y));
    y += Math.max(...pair.map(heightOf));
  }
  const width = 2 * (margin + panel.width) + panel.gap;
  const note = `Medians of one run: Node.js ${machine.node}, ${machine.cpu}, ${machine.cores} cores`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + margin}" width="${width}" height="${y + margin}" role="img" aria-label="${textOf(labelOf(shown))}">
<style>${style}</style>
${parts.join('\n')}
<text class="note" x="${margin}" y="${y + 4}">${textOf(note)}</text>
</svg>
`;
}

function barsOf({ summaries }: Outcome): { subject: SubjectName; median: number }[] {
  return subjectNames.flatMap((subject) => {
    const median = summaries[subject]?.median;
    return median === undefined ? [] : [{ subject, median }];
  });
}

function heightOf(outcome: Outcome): number {
  return panel.title + barsOf(outcome).length * (panel.bar + panel.space) + panel.below;
}

function panelOf(outcome: Outcome, x: number, y: number): string {
  const bars = barsOf(outcome);
  const most = Math.max(...bars.map(({ median }) => median));
  const room = panel.width - panel.label - panel.value;
  const hint = outcome.row.better === 'less' ? 'less is better' : 'more is better';
  const lines = bars.map(({ subject, median }, nth) => {
    const top = y + panel.title + nth * (panel.bar + panel.space);
    const length = most === 0 ? 0 : Math.max(1, (median / most) * room);
    const start = x + panel.label;
    return `<text x="${start - 8}" y="${top + 12}" text-anchor="end">${subject}</text>
<rect class="${subject.replace(' ', '-')}" x="${start}" y="${top}" width="${length.toFixed(1)}" height="${panel.bar}" rx="2"/>
<text x="${(start + length + 6).toFixed(1)}" y="${top + 12}">${figureOf(median)}</text>`;
  });
  const title = `<text x="${x}" y="${y + 8}"><tspan class="title">${textOf(titleOf(outcome.row))}</tspan> <tspan class="note">${hint}</tspan></text>`;
  return [title, ...lines].join('\n');
}

/** The same for who hears the page. */
function labelOf(shown: readonly Outcome[]): string {
  const told = (outcome: Outcome) =>
    barsOf(outcome)
      .map(({ subject, median }) => `${subject} ${figureOf(median)}`)
      .join(', ');
  return shown.map((outcome) => `${titleOf(outcome.row)}: ${told(outcome)}`).join('; ');
}

function textOf(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
