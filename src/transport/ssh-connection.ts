/** A connection of ssh2 after its login: its end, and the channels on it. */
import type { Client, ClientCallback, ClientChannel } from 'ssh2';
import { messageOf, VnmError } from '../model/errors.ts';
import { secondsText, timeLimits } from '../model/patience.ts';
import { newEnding } from './ending.ts';
import { SessionRefused } from './session-turns.ts';
import { nameOf, patienceHint } from './ssh-errors.ts';
import { type Carrier, logIn } from './ssh-login.ts';
import type { Ending, Place, SshOptions, SshServer } from './ssh-types.ts';

export interface SshConnection {
  readonly server: SshServer;
  readonly client: Client;
  /** As in `Login`. */
  readonly place: string;
  readonly ending: Ending;
  close(): void;
}

/** Throws as `logIn`. */
export async function connectSsh2(server: SshServer, options: SshOptions, carrier?: Carrier): Promise<SshConnection> {
  const endings = new Map<Client, Ending>();
  const made = (client: Client) => endings.set(client, watchEnd(client, server, carrier));
  const { client, place, drop } = await logIn(server, options, made, carrier);
  const ending = endings.get(client)!;
  return {
    server,
    client,
    place,
    ending,
    close: () => {
      ending.expect();
      client.end();
      // A node that does not answer must not keep this process waiting, nor get unsent data later.
      const timer = setTimeout(drop, 1000).unref();
      ending.onEnd(() => clearTimeout(timer));
    },
  };
}

function watchEnd(client: Client, place: Place, carrier: Carrier | undefined): Ending {
  let cause: unknown;
  const { ending, end } = newEnding(place, () => carrier?.error() ?? cause);
  client.on('error', (error) => {
    cause ??= error;
  });
  // Complaints about a key or an ssh agent do not matter after the login.
  client.once('ready', () => {
    cause = undefined;
  });
  client.once('close', end);
  return ending;
}

/**
 * Opens a channel. Throws `SessionRefused` if the server refuses, and VnmError `timeout`, `failed`, and the error of a
 * connection that has ended.
 */
export function openChannel(
  { server, ending }: Pick<SshConnection, 'server' | 'ending'>,
  ask: (done: ClientCallback) => void,
): Promise<ClientChannel> {
  const { openMs } = timeLimits(server.patience);
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      const what = `${nameOf(server)} did not answer the request to run a command within ${secondsText(openMs)}`;
      reject(new VnmError('timeout', what, { hint: patienceHint("see the log of the node's SSH server") }));
    }, openMs);
    const fail = (cause: unknown): void => {
      clearTimeout(timer);
      const error = ending.error();
      reject(
        error ??
          refusedSession(server, cause) ??
          new VnmError('failed', `${nameOf(server)} does not run commands: ${messageOf(cause)}`, {
            hint: "see the log of the node's SSH server",
            cause,
          }),
      );
    };
    try {
      ask((error, channel) => {
        clearTimeout(timer);
        if (error !== undefined) fail(error);
        else if (isLate) channel.close();
        else resolve(channel);
      });
    } catch (error) {
      // ssh2 throws when the connection has ended.
      fail(error);
    }
  });
}

/** Returns undefined unless the server refused to open a session, as sshd does at MaxSessions. */
function refusedSession(place: Place, cause: unknown): SessionRefused | undefined {
  if ((cause as { reason?: unknown } | undefined)?.reason === undefined) return undefined;
  const said = messageOf(cause).replace(/^\(SSH\) Channel open failure: /, '');
  const error = new VnmError('failed', `${nameOf(place)} refused to open a session: ${said}`, {
    hint: "allow sessions on the node's SSH server (MaxSessions in its sshd_config, one is enough)",
    cause,
  });
  return new SessionRefused(error);
}
