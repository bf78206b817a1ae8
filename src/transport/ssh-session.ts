/** SSH sessions: a login with a verified host key, commands and kept channels on it, and the news of its end. */
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import { messageOf, VnmError } from '../model/errors.ts';
import { lost, nameOf, type Place } from './ssh-errors.ts';
import { type ExecOptions, type ExecResult, runCommand } from './ssh-exec.ts';
import { logIn } from './ssh-login.ts';

export interface SshTarget {
  /** Name of the substrate node. */
  readonly node: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** A private key file, `~/` expanded. Without it the ssh agent and the usual keys are tried. */
  readonly keyPath?: string;
  /** A known_hosts file to consult before the user's, and to add accepted keys to. */
  readonly knownHostsPath?: string;
}

export interface SshOptions {
  /** Adds the key of an unknown host to known_hosts instead of refusing it. */
  readonly acceptNewHostKeys: boolean;
  /** For the connection, the handshake and the login together. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Time between two signs of life; after three unanswered ones the connection counts as lost. Default 5000. */
  readonly keepaliveMs?: number;
  readonly signal?: AbortSignal;
}

export interface SshSession {
  readonly target: SshTarget;
  /**
   * Runs a command by the login's shell, which must get no text from outside but by anchored patterns. Any exit code is a
   * result. Throws VnmError `unreachable`, `failed` (the server refuses), `timeout`, `interrupted`.
   */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** Runs a command and hands out its streams, `stderr` too; all must be read. Throws as `exec`. */
  openChannel(command: string): Promise<ClientChannel>;
  /** Called once, at once when it is over already; with an error unless `close` was called. */
  onClose(listener: (error?: VnmError) => void): void;
  close(): void;
}

/** Throws VnmError `unreachable`, with the reason in words and what to do about it, or `interrupted`. */
export async function connectSsh(target: SshTarget, options: SshOptions): Promise<SshSession> {
  const client = new ssh2.Client();
  const ending = watchEnd(client, target);
  const socket = await logIn(client, target, options);
  const open = (command: string) => openChannel(client, target, command, ending);
  return {
    target,
    exec: (command, execOptions = {}) => runCommand({ place: target, open, ending }, command, execOptions),
    openChannel: open,
    onClose: ending.onEnd,
    close: () => {
      ending.expect();
      client.end();
      // A node that does not answer must not keep this process waiting.
      setTimeout(() => socket.destroy(), 1000).unref();
    },
  };
}

/** How and whether a connection ended. */
export interface Ending {
  /** What a command or channel fails with that comes after the end; undefined while the connection is there. */
  error(): VnmError | undefined;
  /** As `SshSession.onClose`. */
  onEnd(listener: (error?: VnmError) => void): void;
  /** From now on the end is no loss. */
  expect(): void;
}

function watchEnd(client: Client, place: Place): Ending {
  const listeners: ((error?: VnmError) => void)[] = [];
  let expected = false;
  let ended = false;
  let loss: VnmError | undefined;
  let cause: Error | undefined;
  client.on('error', (error) => {
    cause = error;
  });
  // What a key or an ssh agent had to complain about is of no interest after the login.
  client.once('ready', () => {
    cause = undefined;
  });
  client.on('close', () => {
    ended = true;
    if (!expected) loss = lost(place, cause);
    for (const listener of listeners.splice(0)) listener(loss);
  });
  return {
    error: () =>
      ended ? (loss ?? new VnmError('unreachable', `the connection to ${nameOf(place)} is closed`)) : undefined,
    onEnd: (listener) => {
      if (ended) listener(loss);
      else listeners.push(listener);
    },
    expect: () => {
      expected = true;
    },
  };
}

function openChannel(client: Client, place: Place, command: string, ending: Ending): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(
        ending.error() ??
          new VnmError('failed', `${nameOf(place)} does not run commands: ${messageOf(cause)}`, {
            hint: "see the log of the node's SSH server",
            cause,
          }),
      );
    try {
      client.exec(command, (error, channel) => (error === undefined ? resolve(channel) : fail(error)));
    } catch (error) {
      // ssh2 throws when the connection has ended.
      fail(error);
    }
  });
}
