import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as soon } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { migrateResultView } from '../../../src/controller/views/migration.ts';
import { fakeOperations, migrated } from '../support/fake-operations.ts';
import { ownServer, token } from '../support/server.ts';

test('closing the server waits only for answers', async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const operations = fakeOperations({
    migrate: async () => {
      begun.resolve();
      await go.promise;
      return migrated();
    },
  });
  const { server } = await ownServer({ port: 0 }, { operations });
  const url = await server.listen();
  const { port } = server.app.server.address() as AddressInfo;
  // A connection on which nothing was ever sent, and one kept open for another request.
  const silent = connect(port, '127.0.0.1').resume();
  const kept = connect(port, '127.0.0.1').resume();
  await Promise.all([once(silent, 'connect'), once(kept, 'connect')]);
  kept.write(`GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`);
  await once(kept, 'data');
  const answer = fetch(`${url}/api/slices/three/migrations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ to: 'final' }),
  });
  await begun.promise;

  let isClosed = false;
  const closed = server.close().then(() => {
    isClosed = true;
  });
  await Promise.all([once(silent, 'close'), once(kept, 'close')]);
  for (let turn = 0; turn < 20; turn += 1) await soon();
  expect(isClosed).toBe(false);
  go.resolve();
  expect(await (await answer).json()).toEqual(migrateResultView(migrated()));
  await closed;
});

test('closing the server does not wait for the rest of a request that never arrives', async () => {
  const { server } = await ownServer({ port: 0 });
  await server.listen();
  const { port } = server.app.server.address() as AddressInfo;
  const half = connect(port, '127.0.0.1').resume();
  await once(half, 'connect');
  const arrived = once(server.app.server, 'request');
  half.write(
    `POST /api/slices/three/verify HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n` +
      'content-type: application/json\r\ncontent-length: 10\r\n\r\n{',
  );
  await arrived;
  await Promise.all([server.close(), once(half, 'close')]);
});
