import { isUtf8 } from 'node:buffer';
import { membersOf } from './json-bytes.ts';
import { large, type MessageId, parseOrNothing, type RawMessage } from './messages.ts';

/** The messages in what a server sent; what is no JSON-RPC message holds none. */
export function incomingMessages(data: string | Buffer): RawMessage[] {
  const answer = typeof data === 'string' || data.length < large ? undefined : largeAnswer(data);
  return answer ? [answer] : parseOrNothing(data.toString());
}

/**
 * A large answer that is only passed on: checked as JSON, but made into a text or a value only for who looks into it.
 * Undefined for all else: errors, messages with a method, ids that a double does not hold.
 */
function largeAnswer(bytes: Buffer): RawMessage | undefined {
  const members = isUtf8(bytes) ? membersOf(bytes) : undefined;
  const [id, result] = [members?.get('id'), members?.get('result')];
  if (!members || !id || !result || members.has('method') || members.has('error')) return undefined;
  const parse = ({ start, end }: typeof id) => JSON.parse(bytes.toString('utf8', start, end));
  const known = parse(id) as MessageId;
  if (typeof known === 'number' && !Number.isSafeInteger(known)) return undefined;
  return {
    bytes,
    get raw() {
      return bytes.toString();
    },
    message: {
      id: known,
      get result() {
        return parse(result);
      },
    },
  };
}
