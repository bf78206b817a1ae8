import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { constant, type Delay, exponential, relayTo } from '../../../src/experiment/control/channel.ts';

/** A server that sends back what it gets, and the relay in front of it. */
async function relayToEcho(delay: Delay) {
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = await relayTo((server.address() as AddressInfo).port, delay);
  onTestFinished(() => void server.close());
  return relay;
}

it('passes all bytes on in their order, then the end, however unequal the delays', async () => {
  let count = 0;
  const relay = await relayToEcho(() => [30, 0, 12, 3][count++ % 4]!);
  const socket = connect({ host: '127.0.0.1', port: relay.port });
  const got: Buffer[] = [];
  socket.on('data', (chunk) => void got.push(chunk));
  const sent = Array.from({ length: 30 }, (_, index) => `${index};`);
  for (const text of sent) {
    socket.write(text);
    await new Promise(setImmediate);
  }
  socket.end();
  await once(socket, 'end');
  expect(Buffer.concat(got).toString()).toBe(sent.join(''));
  expect(count).toBeGreaterThan(4);
  await relay.close();
});

it('ends open connections when it is closed', async () => {
  const relay = await relayToEcho(constant(1));
  const socket = connect({ host: '127.0.0.1', port: relay.port });
  socket.on('error', () => {});
  socket.write('x');
  await once(socket, 'data');
  const closed = once(socket, 'close');
  await relay.close();
  await closed;
});

it('ends a connection to a server that is not there', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const relay = await relayTo(port, constant(0));
  const socket = connect({ host: '127.0.0.1', port: relay.port });
  socket.on('error', () => {});
  await once(socket, 'close');
  await relay.close();
});

it('draws exponential delays with the given mean', () => {
  const draw = exponential(200);
  const values = Array.from({ length: 20_000 }, draw);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  // Ten standard errors.
  expect(Math.abs(mean - 200)).toBeLessThan((10 * 200) / Math.sqrt(values.length));
  expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  const large = values.filter((value) => value > 600).length / values.length;
  expect(large).toBeCloseTo(Math.exp(-3), 1);
});
