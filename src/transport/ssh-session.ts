/** SSH sessions: a login with a verified host key, commands and long-lived channels on it, and a report of its end. */
import { randomUUID } from 'node:crypto';
import type { VnmError } from '../model/errors.ts';
import { type TimeLimits, timeLimits } from '../model/patience.ts';
import { carrierOn, takeJumps } from './jump-hosts.ts';
import { closerOf } from './jump-pool.ts';
import { openByProgram } from './openssh/session.ts';
import { remoteCommand, signalCommand } from './remote-command.ts';
import { openInTurns, SessionRefused } from './session-turns.ts';
import { connectSsh2, openChannel } from './ssh-connection.ts';
import { type ExecOptions, type ExecResult, runCommand } from './ssh-exec.ts';
import { routeTo } from './ssh-route.ts';
import { type Ended, type StreamOptions, streamCommand } from './ssh-stream.ts';
import type { NodeConnection, ReachedTarget, SshChannel, SshOptions, SshRoute, SshTarget } from './ssh-types.ts';

export interface SshSession {
  readonly target: ReachedTarget;
  readonly limits: TimeLimits;
  /**
   * Runs a command in the login's shell; text from outside may only enter it through anchored patterns. Any exit code
   * is a result. Throws VnmError `unreachable` (also for endless output), `failed` (the server refuses), `timeout`,
   * `interrupted`.
   */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /**
   * Runs a program by its argument vector, which no shell interprets, with its streams joined to others. Throws as
   * `streamCommand` and `remoteCommand`.
   */
  stream(words: readonly string[], options: Omit<StreamOptions, 'end'>): Promise<Ended>;
  /** Runs a command and returns its streams, including `stderr`; all must be read. Throws as `exec`. */
  openChannel(command: string): Promise<SshChannel>;
  /**
   * Connects to a Unix socket of the node as the login, without a process there (OpenSSH's `direct-streamlocal`).
   * Returns undefined where the server refuses: nothing listens, the login may not connect, or it forwards no sockets;
   * and always with the program `ssh`.
   * Throws as `exec`.
   */
  openSocket(path: string): Promise<SshChannel | undefined>;
  /** Calls the listener once, at once if the session has ended; with an error unless `close` was called. */
  onClose(listener: (error?: VnmError) => void): void;
  close(): void;
}

/**
 * Throws VnmError `unreachable`, with the reason in words and a hint, `unsupported` (no program `ssh`), `interrupted`.
 */
export async function connectSsh(target: SshTarget, options: SshOptions): Promise<SshSession> {
  const route = await routeTo(target);
  const { host, port, user } = route.end;
  const connection = await (route.transport === 'openssh' ? openByProgram : openDirectly)(route, options);
  return sessionOn(connection, { ...target, host, port, user }, options);
}

async function openDirectly({ jumps, end }: SshRoute, options: SshOptions): Promise<NodeConnection> {
  const through = await takeJumps(jumps, end, options);
  try {
    const connection = await connectSsh2(end, options, through && carrierOn(through.last));
    const { client, ending } = connection;
    return {
      ending,
      close: closerOf(connection, () => through?.release()),
      run: (command) => openChannel(connection, (done) => client.exec(command, done)),
      openSocket: (path) =>
        openChannel(connection, (done) => client.openssh_forwardOutStreamLocal(path, done)).catch((error: unknown) => {
          if (error instanceof SessionRefused) return undefined;
          throw error;
        }),
    };
  } catch (error) {
    through?.release();
    throw error;
  }
}

function sessionOn(connection: NodeConnection, target: ReachedTarget, options: SshOptions): SshSession {
  const { ending, close, openSocket } = connection;
  const limits = timeLimits(target.patience);
  const open = openInTurns(connection.run, limits, options);
  const source = { place: target, open, ending };
  const exec: SshSession['exec'] = (command, execOptions = {}) =>
    runCommand(source, command, { timeoutMs: limits.stepMs, ...execOptions });
  return {
    target,
    limits,
    exec,
    stream: async (words, streamOptions) => {
      const mark = randomUUID().replaceAll('-', '');
      const end = async (how: 'INT' | 'KILL') => void (await exec(signalCommand(mark, how)));
      return streamCommand(source, remoteCommand(words, mark), { ...streamOptions, end });
    },
    openChannel: open,
    openSocket,
    onClose: ending.onEnd,
    close,
  };
}
