/**
 * The SSH servers of all nodes of a userspace testbed, in one process. Each listens on a loopback port of its own.
 * Argument: path of a JSON file with the `ServedNode`s. Reports the ports in their order.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { embeddedConnections } from './ssh-embedded.ts';
import type { ServedNode } from './userspace.ts';

const nodes = JSON.parse(readFileSync(process.argv[2] as string, 'utf8')) as ServedNode[];

const ports: number[] = [];
for (const { home, user, env } of nodes) {
  const server = createServer(
    { pauseOnConnect: true, noDelay: true },
    embeddedConnections(home, { user, env, cwd: home }),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ports.push((server.address() as AddressInfo).port);
}
process.send?.({ ports });
process.disconnect?.();
