import type { ClientName } from './clients.ts';
import type { Server } from './server.ts';

/**
 * A link that has the client add the server by itself; for the clients that know such links. What shows Markdown drops
 * links that are not of the web: those lead over a page of the maker, which gets to see the entry.
 */
export function oneClickLink(client: ClientName, server: Server, over: 'app' | 'web'): string | undefined {
  const { name, command, args, env } = server;
  const entry = { command, args, ...(Object.keys(env).length > 0 && { env }) };
  const encoded = (value: object) => encodeURIComponent(JSON.stringify(value));
  if (client === 'cursor') {
    const base =
      over === 'app' ? 'cursor://anysphere.cursor-deeplink/mcp/install' : 'https://cursor.com/en/install-mcp';
    const config = Buffer.from(JSON.stringify(entry)).toString('base64');
    return `${base}?name=${name}&config=${encodeURIComponent(config)}`;
  }
  if (client !== 'vscode') return undefined;
  return over === 'app'
    ? `vscode:mcp/install?${encoded({ name, ...entry })}`
    : `https://vscode.dev/redirect/mcp/install?name=${name}&config=${encoded(entry)}`;
}
