/** Connections to a node that OpenSSH serves, one `sshd -i` each. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { commandPath } from '../model/command-path.ts';
import { VnmError } from '../model/errors.ts';
import { nodeFiles } from './layout.ts';

/** Returns the path of `sshd`. Throws VnmError `unsupported` when it is not installed. */
export function sshdPath(): string {
  const path = commandPath('sshd');
  if (path !== undefined) return path;
  throw new VnmError('unsupported', "the command 'sshd' is not installed", {
    hint: 'install the OpenSSH server (Debian: openssh-server), or use the embedded one',
  });
}

/**
 * Returns the configuration of a node's `sshd`. Commands get `env` and the home directory, as with the embedded server.
 */
export function sshdConfig(home: string, env: Readonly<Record<string, string>>): string {
  const files = nodeFiles(home);
  const settings = Object.entries(env).map(([name, value]) => `"${name}=${value}"`);
  return `HostKey "${files.hostKey}"
AuthorizedKeysFile "${files.authorizedKeys}"
# The directories above are the caller's choice; the testbed's own has mode 0700.
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
# With 'no' it would not connect to Unix sockets either.
AllowTcpForwarding local
PermitTTY no
PidFile none
SetEnv ${settings.join(' ')}
ForceCommand cd "$HOME" && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
`;
}

export function opensshConnections(home: string): (socket: Socket) => void {
  const sshd = sshdPath();
  const config = nodeFiles(home).sshdConfig;
  return (socket) => {
    const child = spawn(sshd, ['-i', '-e', '-f', config], { stdio: [socket, socket, 'inherit'] });
    child.on('error', (error) => console.error(`sshd: ${error.message}`));
    // The child has its own copy of the connection.
    socket.destroy();
  };
}
