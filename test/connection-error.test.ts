import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { ConnectionError } from '../src/http.ts';

test('a host with several addresses of which none answers is told with what became of each', async () => {
  const addresses = ['127.0.0.1', '127.0.0.2'];
  const socket = connect({
    host: 'upstream.test',
    port: 9,
    autoSelectFamily: true,
    lookup: (_host, _options, found) =>
      found(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      ),
  });
  const [cause] = await once(socket, 'error').catch((error: unknown) => [error]);
  expect(cause).toMatchObject({ name: 'AggregateError', code: 'ECONNREFUSED' });
  const { message } = new ConnectionError(false, cause);
  for (const address of addresses) expect(message).toContain(`ECONNREFUSED ${address}:9`);
});
