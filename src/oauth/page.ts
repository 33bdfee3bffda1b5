import { mark, sign, style, type Tone, tabIcon } from './page-style.ts';

/** What the browser shows at the end of a sign-in. */
export interface Page {
  kind: 'connected' | 'declined' | 'failed' | 'finished';
  about: Connecting;
  /** The workspace, where the server told it. */
  workspace?: string | undefined;
  /** What went wrong, in words for a person. */
  problem?: string | undefined;
  /** Where the person can try again. */
  retryUrl?: string | undefined;
  /** Declined, with an earlier sign-in that stays. */
  stillConnected?: boolean;
}

/** Which connection the sign-in is for, as a person knows it. */
export interface Connecting {
  profile: string;
  /** The host of the MCP server. */
  server: string;
  /** The commands as they have to be typed to mean this connection. */
  commands: { login: string; logout: string; status: string };
}

interface Wording {
  tone: Tone;
  title: string;
  /** Ends the title; it comes from the server. */
  name?: string | undefined;
  lead: string[];
  /** What a person may do next, and the command for it. */
  next: { text: string; command: string };
}

export function renderPage(page: Page): string {
  const { tone, title, name, lead, next } = wording(page);
  const heading = name ? `${escapeHtml(title)} ${isolated(name)}` : escapeHtml(title);
  const retry = page.retryUrl === undefined ? '' : `<a class="act" href="${escapeHtml(page.retryUrl)}">Try again</a>`;
  const [first = '', ...others] = lead.map(escapeHtml);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${escapeHtml(name ? `${title} ${name}` : title)} – notion-mcp-bridge</title>
${tabIcon(tone)}
<style>${style}</style>
</head>
<body class="${tone}">
<header>${mark}<span>notion-mcp-bridge</span></header>
<main>
${sign(tone)}
<h1>${heading}</h1>
<p class="lead">${first}</p>
${others.map((line) => `<p>${line}</p>`).join('\n')}
${retry}
${factsOf(page)}
<p class="next">${escapeHtml(next.text)}:</p>
<code>${next.command.split(' ').map(wholeWord).join(' ')}</code>
</main>
<footer>This page comes from notion-mcp-bridge on your own computer. It loads nothing, and nothing on it is sent anywhere.</footer>
</body>
</html>
`;
}

function factsOf({ workspace, about }: Page): string {
  const facts = [
    ['Workspace', workspace],
    ['Server', about.server],
    ['Profile', about.profile],
  ];
  const rows = facts.flatMap(([name, value]) =>
    value === undefined ? [] : `<div><dt>${name}</dt><dd>${isolated(value)}</dd></div>`,
  );
  return `<dl>\n${rows.join('\n')}\n</dl>`;
}

function wording({ kind, workspace, problem, retryUrl, stillConnected, about: { commands } }: Page): Wording {
  switch (kind) {
    case 'connected':
      return {
        tone: 'good',
        title: workspace ? 'Connected to' : 'Connected',
        name: workspace,
        lead: [
          'You can close this tab and go back to your app; it goes on by itself.',
          'The sign-in stays on this computer and is kept alive for every app here that uses this bridge.',
        ],
        next: { text: 'To sign out again later, run in a terminal', command: commands.logout },
      };
    case 'declined':
      return stillConnected
        ? {
            tone: 'calm',
            title: 'Nothing has changed',
            lead: ['You said no, and the sign-in that you had goes on.', 'You can close this tab.'],
            next: { text: 'To sign in again after all, run in a terminal', command: `${commands.login} --force` },
          }
        : {
            tone: 'calm',
            title: 'Not connected',
            lead: ['You said no, and nothing was stored.', 'You can close this tab.'],
            next: { text: 'To connect later, ask your assistant, or run in a terminal', command: commands.login },
          };
    case 'failed':
      return {
        tone: 'bad',
        title: 'The sign-in did not work',
        lead: [`${problem ?? 'Something went wrong'}.`, 'Nothing that was stored before is lost.'],
        next: {
          text: `${retryUrl === undefined ? 'To start again' : 'If that does not help'}, run in a terminal`,
          command: commands.login,
        },
      };
    case 'finished':
      return {
        tone: 'calm',
        title: 'This sign-in is finished',
        lead: [
          'It was completed, declined, or replaced by a newer one, so there is nothing left to do here.',
          'You can close this tab.',
        ],
        next: { text: 'To see whether you are connected, run in a terminal', command: commands.status },
      };
  }
}

/** Whatever direction it is written in, it does not reach what is around it. */
function isolated(name: string): string {
  return `<bdi>${escapeHtml(name)}</bdi>`;
}

/** In a command no line ends at a hyphen. */
function wholeWord(word: string): string {
  return `<span>${escapeHtml(word)}</span>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
