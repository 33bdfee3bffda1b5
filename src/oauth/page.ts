import { createHash } from 'node:crypto';

/** What the browser shows at the end of a sign-in. */
export interface Page {
  kind: 'connected' | 'declined' | 'failed';
  profile: string;
  /** The workspace, where the server told it. */
  workspace?: string | undefined;
  /** What went wrong, in words for a person. */
  problem?: string | undefined;
  /** Where the person can try again. */
  retryUrl?: string | undefined;
}

const style = `
:root{color-scheme:light dark;--ink:#1f1f1d;--soft:#6b6a66;--paper:#f7f6f3;--card:#fff;--line:#e4e2dd;--good:#1a7f4b;--bad:#b3402a}
@media(prefers-color-scheme:dark){:root{--ink:#ecebe8;--soft:#a3a19b;--paper:#191918;--card:#232321;--line:#393835;--good:#5bc88f;--bad:#ee8b75}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,sans-serif}
main{max-width:28rem;width:100%;padding:2.5rem 2rem;background:var(--card);border:1px solid var(--line);border-radius:14px}
h1{margin:.75rem 0 .5rem;font-size:1.5rem;line-height:1.25}
p{margin:.5rem 0}
.sign{display:block;width:2.75rem;height:2.75rem}
.good{color:var(--good)}.bad{color:var(--bad)}
.soft{color:var(--soft);font-size:.9rem}
a{display:inline-block;margin-top:1rem;padding:.6rem 1.1rem;border-radius:8px;background:var(--ink);color:var(--card);text-decoration:none}
a:focus-visible{outline:3px solid var(--good);outline-offset:2px}
`;

/** Nothing is loaded, nothing runs; the one style is named by its hash. */
export const pageSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const check = '<path d="M15 25l6 6 13-14"/>';
const cross = '<path d="M17 17l14 14M31 17L17 31"/>';

export function renderPage(page: Page): string {
  const { title, text, good } = wording(page);
  const retry = page.retryUrl === undefined ? '' : `<a href="${escapeHtml(page.retryUrl)}">Try again</a>`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>
<svg class="sign ${good ? 'good' : 'bad'}" viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="24" cy="24" r="21"/>${good ? check : cross}</svg>
<h1>${escapeHtml(title)}</h1>
${text.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n')}
${retry}
<p class="soft">notion-mcp-bridge, profile “${escapeHtml(page.profile)}”</p>
</main></body>
</html>
`;
}

function wording(page: Page): { title: string; text: string[]; good: boolean } {
  const close = 'You can close this tab and go back to your app; it goes on by itself.';
  switch (page.kind) {
    case 'connected':
      return { title: page.workspace ? `Connected to ${page.workspace}` : 'Connected', text: [close], good: true };
    case 'declined':
      return {
        title: 'Not connected',
        text: [
          'You said no, and nothing was stored. To connect later, run this in a terminal: npx -y notion-mcp-bridge login',
        ],
        good: false,
      };
    case 'failed':
      return {
        title: 'The sign-in did not work',
        text: [`${page.problem ?? 'Something went wrong'}.`, 'Nothing that was stored before is lost.'],
        good: false,
      };
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
