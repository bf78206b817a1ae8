/**
 * The SSH server of one node, a process of its own in the node's network namespace. Its connections come from a socket
 * that listens on the machine's loopback, inherited as descriptor 3. Arguments: kind of server, home directory.
 */
import { createServer, type Socket } from 'node:net';

const [kind, home] = process.argv.slice(2) as [string, string];
const server = createServer({ pauseOnConnect: true, noDelay: true }, await connectionHandler());
server.listen({ fd: 3 }, () => {
  process.send?.('ready');
  process.disconnect?.();
});

async function connectionHandler(): Promise<(socket: Socket) => void> {
  if (kind === 'openssh') return (await import('./ssh-openssh.ts')).opensshConnections(home);
  return (await import('./ssh-embedded.ts')).embeddedConnections(home, { user: 'root', env: process.env, cwd: home });
}
