/** Jump hosts by ssh2: connections of a jump host to the servers behind it (`direct-tcpip`). */
import type { ClientChannel } from 'ssh2';
import { messageOf } from '../model/errors.ts';
import { secondsText, timeLimits } from '../model/patience.ts';
import { endpointText } from '../model/ssh-way.ts';
import { jumpPool } from './jump-pool.ts';
import { Dropped } from './login-turns.ts';
import { connectSsh2, type SshConnection } from './ssh-connection.ts';
import { because, behindHint, nameOf, patienceHint, unreachable } from './ssh-errors.ts';
import type { Carrier } from './ssh-login.ts';
import type { SshServer } from './ssh-types.ts';

/** How a server reports that it cannot connect (RFC 4254 section 5.1). */
const prohibited = 1;
const shortage = 4;

export const takeJumps = jumpPool<SshConnection>((server, options, before) =>
  connectSsh2(server, options, before && carrierOn(before)),
);

export function carrierOn(jump: SshConnection): Carrier {
  return { place: jump.place, error: jump.ending.error, connect: (server) => connectFrom(jump, server) };
}

function connectFrom(jump: SshConnection, server: SshServer): Promise<ClientChannel> {
  const { loginMs } = timeLimits(server.patience);
  return new Promise((resolve, reject) => {
    let isLate = false;
    const fail = (reason: string, hint: string, cause?: unknown): void => {
      const lost = jump.ending.error();
      const why = lost === undefined ? { reason: `${nameOf(jump.server)} ${reason}`, hint } : because(lost);
      const fault = unreachable(server, why, cause);
      reject(lost === undefined && reasonCode(cause) === shortage ? new Dropped(fault) : fault);
    };
    const timer = setTimeout(() => {
      isLate = true;
      fail(`made no connection to it within ${secondsText(loginMs)}`, patienceHint(behindHint));
    }, loginMs);
    const done = (error: Error | undefined, channel: ClientChannel): void => {
      clearTimeout(timer);
      if (error === undefined && isLate) channel.close();
      else if (error === undefined) resolve(channel);
      else {
        const said = messageOf(error).replace(/^\(SSH\) Channel open failure: /, '');
        fail(`does not connect to it: ${said}`, hintFor(reasonCode(error), server), error);
      }
    };
    try {
      jump.client.forwardOut('127.0.0.1', 0, server.host, server.port, done);
    } catch (error) {
      // ssh2 throws when the connection has ended.
      clearTimeout(timer);
      fail(`does not connect to it: ${messageOf(error)}`, behindHint, error);
    }
  });
}

function reasonCode(error: unknown): unknown {
  return (error as { reason?: unknown } | undefined)?.reason;
}

function hintFor(reason: unknown, { host, port }: SshServer): string {
  return reason === prohibited
    ? `let the sshd_config of the jump host allow connections to ${endpointText(host, port)} (AllowTcpForwarding, PermitOpen)`
    : behindHint;
}
