import { createHash } from 'node:crypto';

/** The look of the page: system fonts, colours for both schemes with at least 4.5:1 for text, nothing that moves. */
export const style = `
:root{color-scheme:light dark;--ink:#23221f;--soft:#5f5d58;--paper:#f6f5f1;--card:#fff;--line:#e3e0d9;--well:#f4f2ee;--good:#17704a;--good-tint:#e2f3ea;--bad:#a63a22;--bad-tint:#fbe8e3;--calm:#3d5a80;--calm-tint:#e6edf5;--focus:#1b62c4;--lift:0 1px 2px #2321,0 12px 32px -12px #2323}
@media(prefers-color-scheme:dark){:root{--ink:#eeece7;--soft:#aeaba4;--paper:#171715;--card:#211f1d;--line:#3a3834;--well:#2b2926;--good:#63d29a;--good-tint:#173527;--bad:#f39a84;--bad-tint:#42211a;--calm:#9dbce0;--calm-tint:#1f2c3b;--focus:#8cb8f5;--lift:none}}
@media(prefers-contrast:more){:root{--soft:var(--ink);--line:var(--ink)}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;flex-direction:column;align-items:center;padding:1.5rem 1rem;background:var(--paper);color:var(--ink);font:1rem/1.6 system-ui,-apple-system,"Segoe UI",sans-serif;overflow-wrap:anywhere}
header,main,footer{width:100%;max-width:33rem}
header{display:flex;align-items:center;gap:.6rem;margin:auto 0 1rem;padding:0 .25rem;font-weight:600;font-size:.95rem}
header svg{width:1.75rem;height:1.75rem;flex:none}
main{position:relative;overflow:hidden;padding:2.5rem 2rem 2rem;background:var(--card);border:1px solid var(--line);border-radius:18px;box-shadow:var(--lift)}
main::before{content:"";position:absolute;inset:0 0 auto;height:.35rem;background:var(--tone)}
footer{margin:1rem 0 auto;padding:0 .25rem;color:var(--soft);font-size:.85rem;line-height:1.5}
.good{--tone:var(--good);--tint:var(--good-tint)}
.bad{--tone:var(--bad);--tint:var(--bad-tint)}
.calm{--tone:var(--calm);--tint:var(--calm-tint)}
.sign{display:block;width:3.5rem;height:3.5rem;border-radius:50%;background:var(--tint);color:var(--tone)}
h1{margin:1.25rem 0 .75rem;font-size:1.75rem;line-height:1.2;letter-spacing:-.015em;font-weight:650}
.good h1{text-wrap:balance}
p{margin:.5rem 0 0}
.lead{font-size:1.075rem}
dl{margin:1.5rem 0 0;border-top:1px solid var(--line)}
dl div{display:flex;flex-wrap:wrap;gap:0 1rem;padding:.6rem 0;border-bottom:1px solid var(--line)}
dt{flex:0 0 7rem;color:var(--soft)}
dd{flex:1 1 12rem;margin:0;font-weight:550}
.next{margin-top:1.5rem;color:var(--soft)}
code{display:block;margin-top:.6rem;padding:.7rem .9rem;background:var(--well);border:1px solid var(--line);border-radius:10px;font:.9rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;user-select:all;-webkit-user-select:all}
code span{display:inline-block;max-width:100%}
.act{display:inline-block;margin-top:1.5rem;padding:.7rem 1.4rem;border-radius:10px;border:2px solid transparent;background:var(--ink);color:var(--card);font-weight:600;text-decoration:none}
.act:hover{text-decoration:underline;text-underline-offset:.2em}
:focus-visible{outline:3px solid var(--focus);outline-offset:3px}
@media(max-width:28rem){main{padding:1.5rem 1.25rem}h1{font-size:1.5rem}}
`;

/** Nothing is loaded and nothing runs: the one style is named by its hash, and the icon of the tab is in the page. */
export const pageSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export type Tone = 'good' | 'bad' | 'calm';

const strokes: Record<Tone, string> = {
  good: 'M17 29l8 8 15-17',
  bad: 'M20 20l16 16M36 20L20 36',
  calm: 'M18 28h20',
};

/** For the tab, where the page's own colours are not known: they stand out on light and on dark. */
const tabColours: Record<Tone, string> = { good: '#1f8f5f', bad: '#c4472b', calm: '#4f76a8' };

const line = 'fill="none" stroke-linecap="round" stroke-linejoin="round"';

/** What happened, in one sign. The heading says the same in words. */
export function sign(tone: Tone): string {
  return `<svg class="sign" viewBox="0 0 56 56" ${line} stroke="currentColor" stroke-width="4" aria-hidden="true"><path d="${strokes[tone]}"/></svg>`;
}

export function tabIcon(tone: Tone): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 56 56"><circle cx="28" cy="28" r="28" fill="${tabColours[tone]}"/><path d="${strokes[tone]}" ${line} stroke="#fff" stroke-width="6"/></svg>`;
  return `<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(svg)}">`;
}

/** The bridge, as in assets/icon.svg. */
export const mark = `<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="#17594f"/><path d="M4 22h24M10.5 9v16M21.5 9v16M4 18.5Q8 17 10.5 9 16 25 21.5 9 24 17 28 18.5" ${line} stroke="#fff" stroke-width="2"/></svg>`;
