/** The relay's side of its control socket. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { errorJson } from '../../model/errors.ts';
import { type RelayAnswer, requestSchema } from './control.ts';
import type { DirectedLink, LinkChange } from './properties.ts';

export interface RelayControl {
  change(change: LinkChange): Promise<readonly DirectedLink[]>;
  /** Opens a port for probes. */
  openProbes(): Promise<{ readonly port: number; close(): void }>;
}

/** Returns the server once the socket accepts connections. */
export async function serveControl(path: string, control: RelayControl): Promise<Server> {
  const server = createServer((connection) => {
    // Who asked has gone; nothing is left to do for them.
    connection.on('error', () => connection.destroy());
    const lines = createInterface({ input: connection });
    // It passes the connection's errors on, and would end the relay.
    lines.on('error', () => {});
    lines.once('line', (line) => {
      answer(line, connection, control)
        .catch(errorJson)
        .then((reply) => connection.write(`${JSON.stringify(reply)}\n`));
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
}

async function answer(line: string, connection: Socket, control: RelayControl): Promise<RelayAnswer> {
  const request = requestSchema.parse(JSON.parse(line));
  if (request.kind === 'change') return { links: [...(await control.change(request.change))] };
  const probes = await control.openProbes();
  connection.once('close', () => probes.close());
  if (connection.destroyed) probes.close();
  return { port: probes.port };
}
