import type { Readable, Writable } from 'node:stream';
import { errorLine, large, parseMessages, type RawMessage } from './messages.ts';

/** The client that spawned us, at the other end of stdio: one JSON message a line. */
export interface Downstream {
  /** Resolves once the client has taken enough that more may follow. */
  send(line: string | Buffer): Promise<void>;
  /** Resolves when the client is gone: end of input, or nobody reads any more. */
  readonly closed: Promise<void>;
}

const lineFeed = Buffer.from('\n');
const longestLine = 256 * 1024 * 1024;

export function connectDownstream(
  input: Readable,
  output: Writable,
  onMessage: (message: RawMessage) => void,
): Downstream {
  let tell: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let gone = false;
  /** One for all who wait: a client that reads slowly has many messages waiting. */
  let drained: Promise<void> | undefined;
  let goOn: () => void = () => undefined;
  const resume = () => {
    drained = undefined;
    goOn();
  };
  const leave = () => {
    gone = true;
    tell();
    resume();
  };

  /** What is written in one go leaves in one go: a system call for each of a thousand notifications costs more than they do. */
  const write = (line: string | Buffer): boolean => {
    if (output.writableCorked === 0) {
      output.cork();
      setImmediate(() => output.uncork());
    }
    // A long one would be in memory once more.
    if (typeof line === 'string' && line.length < large) return output.write(`${line}\n`);
    output.write(line);
    return output.write(lineFeed);
  };

  const send = async (line: string | Buffer) => {
    if (gone || write(line)) return;
    drained ??= new Promise((resolve) => {
      goOn = resolve;
    });
    await drained;
  };

  const takeLine = (line: string) => {
    if (line.trim() === '') return;
    try {
      for (const message of parseMessages(line)) onMessage(message);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      void send(errorLine(null, { code: -32700, message: 'parse error: not a JSON-RPC message' }));
    }
  };

  input.on('data', createLineSplitter(takeLine));
  input.on('end', leave);
  input.on('close', leave);
  input.on('error', leave);
  output.on('drain', resume);
  output.on('error', leave);
  return { send, closed };
}

/** Splits at line feeds; bytes of an unfinished line wait for the rest. A line that is too long is answered as garbage. */
function createLineSplitter(onLine: (line: string) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let length = 0;
  return (chunk) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      start = end + 1;
      onLine(length > longestLine ? '!' : Buffer.concat(parts).toString('utf8'));
      parts = [];
      length = 0;
    }
    length += chunk.length - start;
    if (length > longestLine) parts = [];
    else parts.push(chunk.subarray(start));
  };
}
