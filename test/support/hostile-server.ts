/** An SSH server on loopback that accepts every login and then misbehaves. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { makeKeyPair } from './ssh-server.ts';

export interface HostileServer {
  readonly port: number;
  /** Returns the number of bytes sent so far. */
  sent(): number;
  connections(): number;
  close(): Promise<void>;
}

/** Its behaviour on a connection before SSH, on one after the login, and on a command. */
export interface Behaviour {
  readonly onSocket?: (socket: Socket, ssh: ssh2.Server) => void;
  readonly onReady?: (client: Connection) => void;
  /** Undefined: the server never answers the request. */
  readonly onExec?: ((channel: ServerChannel, command: string) => void) | undefined;
  readonly banner?: string;
}

const hostKey = makeKeyPair();

export async function startHostileServer(behaviour: Behaviour): Promise<HostileServer> {
  const sockets = new Set<Socket>();
  let sent = 0;
  const ssh = new ssh2.Server(
    { hostKeys: [hostKey.private], ...(behaviour.banner && { banner: behaviour.banner }) },
    (client) => {
      client.on('error', () => undefined);
      client.on('authentication', (context) => context.accept());
      client.on('ready', () => behaviour.onReady?.(client));
      client.on('session', (accept) => {
        accept().on('exec', (acceptExec, _reject, { command }) => {
          if (behaviour.onExec === undefined) return;
          const channel = acceptExec();
          channel.on('error', () => undefined);
          behaviour.onExec(channel, command);
        });
      });
    },
  );
  const tcp = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      sent += socket.bytesWritten;
      sockets.delete(socket);
    });
    if (behaviour.onSocket === undefined) ssh.injectSocket(socket);
    else behaviour.onSocket(socket, ssh);
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  return {
    port: (tcp.address() as AddressInfo).port,
    sent: () => sent + [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0),
    connections: () => sockets.size,
    close: async () => {
      const closed = new Promise((resolve) => tcp.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Writes for as long as the other side reads. */
export function flood(stream: NodeJS.WritableStream & { destroyed?: boolean }, chunk: Buffer | string): void {
  const write = () => {
    if (stream.destroyed === true || !stream.writable) return;
    if (stream.write(chunk)) setImmediate(write);
    else stream.once('drain', write);
  };
  write();
}

/** Sends a byte now and then. */
export function trickle(stream: NodeJS.WritableStream, everyMs: number): void {
  const timer = setInterval(() => stream.write('x'), everyMs);
  (stream as unknown as Readable).once('close', () => clearInterval(timer));
}
