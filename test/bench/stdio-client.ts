import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: a raw peer looks into whatever comes
  result: any;
  /** Progress notifications that came meanwhile, for this request. */
  progress: number;
}

/** The same for whatever is spawned: no SDK and no validation, only lines, their JSON, and who waits for which id. */
export interface StdioClient {
  readonly pid: number;
  /** Rejects with an error answer, and when the process ends first. */
  request(method: string, params?: object, withProgress?: boolean): Promise<Answer>;
  notify(method: string): void;
  /** Ends stdin and resolves once the process is gone. */
  close(): Promise<void>;
}

interface Waiting extends Pick<Answer, 'progress'> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** After the end of its stdin a process may take this long, ms. */
const farewell = 5_000;

export function openStdio(args: readonly string[], env: Record<string, string>): StdioClient {
  const child = spawn(process.execPath, args, { env, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let parts: Buffer[] = [];

  const take = (line: string) => {
    const { id, method, params, result, error } = JSON.parse(line);
    const request = waiting.get(method === 'notifications/progress' ? params.progressToken : id);
    if (!request) return;
    if (method !== undefined) {
      request.progress += 1;
      return;
    }
    waiting.delete(id);
    if (error) request.reject(new Error(`${args[0]} answered ${JSON.stringify(error)}`));
    else request.resolve({ result, progress: request.progress });
  };

  child.stdout.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      take(Buffer.concat(parts).toString('utf8'));
      parts = [];
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  });
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close');
  child.on('close', () => {
    for (const { reject } of waiting.values()) reject(new Error(`${args[0]} ended`));
  });

  const send = (message: object) => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  return {
    pid: child.pid as number,
    request: (method, params, withProgress = false) =>
      new Promise((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, { resolve, reject, progress: 0 });
        const meta = withProgress ? { _meta: { progressToken: lastId } } : {};
        send({ id: lastId, method, params: { ...params, ...meta } });
      }),
    notify: (method) => send({ method }),
    close: async () => {
      const kill = setTimeout(() => child.kill('SIGKILL'), farewell);
      child.stdin.end();
      await ended;
      clearTimeout(kill);
    },
  };
}
