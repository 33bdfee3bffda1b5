import { spawn } from 'node:child_process';
import { builtBridge, type Ended, type Home, strippedEnvironment } from './spawn-client.ts';

export interface RawOptions {
  home: Home;
  /** The upstream's URL. */
  url: string;
  args?: string[];
}

/** One line of the bridge, as it came and as JSON. */
export interface Line {
  raw: string;
  // biome-ignore lint/suspicious/noExplicitAny: a raw peer looks into whatever comes
  json: any;
}

export interface HelloOptions {
  protocolVersion?: string;
  capabilities?: Record<string, unknown>;
  clientInfo?: Record<string, unknown>;
}

/** A peer without an SDK, for what the SDK clients cannot say: it writes bytes and sees lines. */
export interface RawClient {
  pid: number;
  lines: readonly Line[];
  stderr(): string;
  /** Writes bytes as they are. */
  write(bytes: string | Buffer): void;
  /** Writes one message in one line. */
  send(message: object): void;
  /** Resolves with the n-th line that matches, past or to come; rejects when the bridge ends first. */
  receive(matches: (json: Line['json']) => boolean, nth?: number): Promise<Line>;
  /** Sends a request and resolves with its response. */
  request(method: string, params?: object, id?: string | number): Promise<Line['json']>;
  call(name: string, args?: object): Promise<Line['json']>;
  /** The text of a tool's result. */
  textOf(name: string, args?: object): Promise<string>;
  notify(method: string, params?: object): void;
  /** `initialize` and `notifications/initialized`; gives the result. */
  hello(options?: HelloOptions): Promise<Line['json']>;
  /** Stops reading stdout, as a client that is busy. */
  pause(): void;
  resume(): void;
  endInput(): void;
  kill(signal: NodeJS.Signals): void;
  /** Leaves as a client leaves. */
  leave(): Promise<Ended>;
  ended: Promise<Ended>;
}

/** Whoever opens it also sends it away. */
export function openRaw({ home, url, args = [] }: RawOptions): RawClient {
  const child = spawn(process.execPath, [builtBridge, '--url', url, ...args], {
    env: strippedEnvironment(home),
    cwd: '/',
  });
  const lines: Line[] = [];
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  const tell = () => {
    for (const watcher of [...watchers]) watcher();
  };
  let rest: Buffer[] = [];
  let over = false;
  let lastId = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const raw = Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
      lines.push({ raw, json: JSON.parse(raw) });
      rest = [];
      start = end + 1;
    }
    rest.push(chunk.subarray(start));
    tell();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => {
      over = true;
      resolve({ code, signal, ...output });
      tell();
    });
  });
  const leave = () => {
    child.stdout.resume();
    child.stdin.end();
    return ended;
  };

  const write = (bytes: string | Buffer) => void child.stdin.write(bytes);
  const send = (message: object) => write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const receive = (matches: (json: Line['json']) => boolean, nth = 1) =>
    new Promise<Line>((resolve, reject) => {
      const look = () => {
        const found = lines.filter(({ json }) => matches(json))[nth - 1];
        if (found) resolve(found);
        else if (over) reject(new Error(`the bridge ended without ${matches}: ${output.stderr}`));
        else return;
        watchers.delete(look);
      };
      watchers.add(look);
      look();
    });
  const request = async (method: string, params?: object, id: string | number = `raw-${++lastId}`) => {
    send({ id, method, ...(params ? { params } : {}) });
    return (await receive((json) => json.id === id && json.method === undefined)).json;
  };
  const notify = (method: string, params?: object) => send({ method, ...(params ? { params } : {}) });
  const hello = async (options: HelloOptions = {}) => {
    const clientInfo = { name: 'raw-client', version: '1.0.0' };
    const { result } = await request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo,
      ...options,
    });
    notify('notifications/initialized');
    return result;
  };
  return {
    pid: child.pid as number,
    lines,
    stderr: () => output.stderr,
    write,
    send,
    receive,
    request,
    call: (name, args = {}) => request('tools/call', { name, arguments: args }),
    textOf: async (name, args = {}) => (await request('tools/call', { name, arguments: args })).result.content[0].text,
    notify,
    hello,
    pause: () => void child.stdout.pause(),
    resume: () => void child.stdout.resume(),
    endInput: () => void child.stdin.end(),
    kill: (signal) => void child.kill(signal),
    ended,
    leave,
  };
}
