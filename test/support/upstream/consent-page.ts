export interface ConsentFacts {
  clientName: string;
  redirectUri: string;
  user: string;
  workspaceName: string;
}

/** The form posts back to its own URL, which carries the authorization request. */
export function consentPage({ clientName, redirectUri, user, workspaceName }: ConsentFacts): string {
  return page(
    'Connect to Notion workspace (embedded)',
    `<h1>${escapeHtml(clientName)} wants to use your workspace</h1>
    <dl>
      <dt>Workspace</dt><dd>${escapeHtml(workspaceName)}</dd>
      <dt>Signed in as</dt><dd>${escapeHtml(user)}</dd>
      <dt>Then returns to</dt><dd>${escapeHtml(redirectUri)}</dd>
    </dl>
    <form method="post">
      <input type="hidden" name="user" value="${escapeHtml(user)}">
      <button name="decision" value="deny">Deny</button>
      <button name="decision" value="allow" class="primary" autofocus>Allow</button>
    </form>`,
  );
}

export function refusalPage(code: string, description: string): string {
  return page(
    'Request refused',
    `<h1>This request was refused</h1><p>${escapeHtml(description)}</p><p><code>${escapeHtml(code)}</code></p>`,
  );
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${title}</title>
  <style>${STYLE}</style>
</head>
<body>
  <main>
    <p class="origin">Notion workspace (embedded)</p>
    ${body}
    <footer>A stand-in on this machine. Nothing here reaches Notion.</footer>
  </main>
</body>
</html>
`;
}

const STYLE = `
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif; }
  main { width: min(26rem, calc(100vw - 5rem)); padding: 2rem; border: 1px solid var(--line); border-radius: 12px; }
  h1 { font-size: 1.35rem; line-height: 1.25; margin: .25rem 0 1.25rem; }
  .origin, footer, dt { font-size: .85rem; opacity: .65; margin: 0; }
  dl { margin: 0 0 1.5rem; } dd { margin: 0 0 .75rem; overflow-wrap: anywhere; }
  form { display: flex; gap: .75rem; justify-content: flex-end; margin-bottom: 1.5rem; }
  button { font: inherit; padding: .5rem 1.25rem; border: 1px solid var(--line); border-radius: 8px; background: none; color: inherit; cursor: pointer; }
  button.primary { background: #2383e2; border-color: #2383e2; color: #fff; }
`;

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
