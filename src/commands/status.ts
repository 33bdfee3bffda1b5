import { isConnected } from '../credentials/record.ts';
import type { Command } from './command.ts';
import { factsOf } from './status-facts.ts';
import { statusText } from './status-text.ts';

/** The story of the connection, for a person or a program. Exit code 0 when connected, else 1. */
export const status: Command = async (context) => {
  const { config, clock, print } = context;
  const connection = context.openConnection();
  const record = await connection.store.load();
  const facts = factsOf(record, connection, context);
  print(config.json ? `${JSON.stringify(facts, undefined, 2)}\n` : statusText(facts, clock.now()));
  connection.store.close();
  return isConnected(record) ? 0 : 1;
};
