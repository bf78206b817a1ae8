import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Returns different ports of 127.0.0.1 that are free now for UDP and TCP. */
export async function freePorts(count: number): Promise<number[]> {
  const held: AsyncDisposable[] = [];
  const found: number[] = [];
  while (found.length < count) {
    const udp = createSocket('udp4').bind(0, '127.0.0.1');
    await once(udp, 'listening');
    held.push(udp);
    const { port } = udp.address();
    const tcp = createServer().listen(port, '127.0.0.1');
    try {
      await once(tcp, 'listening');
    } catch {
      continue;
    }
    held.push(tcp);
    found.push(port);
  }
  await Promise.all(held.map((one) => one[Symbol.asyncDispose]()));
  return found;
}
