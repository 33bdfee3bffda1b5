import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

/** What befalls connections below HTTP, where nobody knows which message it will hit. */
export class Connections {
  #server: Server | undefined;
  #resets = 0;
  #cuts = 0;

  /** These are the connections of this server. */
  watch(server: Server): void {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      if (this.#resets === 0) return;
      this.#resets -= 1;
      socket.resetAndDestroy();
    });
  }

  /** The next connections are reset as they come. */
  reset(times: number): void {
    this.#resets = times;
  }

  /** The next messages to the MCP server are cut off before they are read. */
  cutUnread(times: number): void {
    this.#cuts = times;
  }

  /** Closes those that are kept for a next request, as a server does when they were kept for long. */
  closeIdle(): void {
    this.#server?.closeIdleConnections();
  }

  clear(): void {
    this.#resets = 0;
    this.#cuts = 0;
  }

  /** True when this one was cut off. */
  cutsOff({ method, url, socket }: IncomingMessage): boolean {
    if (this.#cuts === 0 || method !== 'POST' || url !== '/mcp') return false;
    this.#cuts -= 1;
    socket.destroy();
    return true;
  }
}
