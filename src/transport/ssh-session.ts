/** SSH sessions: a login with a verified host key, commands and long-lived channels on it, and a report of its end. */
import { randomUUID } from 'node:crypto';
import type { Client, ClientCallback, ClientChannel } from 'ssh2';
import { messageOf, VnmError } from '../model/errors.ts';
import { secondsText, type TimeLimits, timeLimits } from '../model/patience.ts';
import { remoteCommand, signalCommand } from './remote-command.ts';
import { openInTurns, SessionRefused } from './session-turns.ts';
import { lost, nameOf, type Place, patienceHint } from './ssh-errors.ts';
import { type ExecOptions, type ExecResult, runCommand } from './ssh-exec.ts';
import { logIn } from './ssh-login.ts';
import { type Ended, type StreamOptions, streamCommand } from './ssh-stream.ts';
import type { Ending, SshOptions, SshTarget } from './ssh-types.ts';

export interface SshSession {
  readonly target: SshTarget;
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
  openChannel(command: string): Promise<ClientChannel>;
  /**
   * Connects to a Unix socket of the node as the login, without a process there (OpenSSH's `direct-streamlocal`).
   * Returns undefined where the server refuses: nothing listens, the login may not connect, or it forwards no sockets.
   * Throws as `exec`.
   */
  openSocket(path: string): Promise<ClientChannel | undefined>;
  /** Calls the listener once, at once if the session has ended; with an error unless `close` was called. */
  onClose(listener: (error?: VnmError) => void): void;
  close(): void;
}

/** Throws VnmError `unreachable`, with the reason in words and a hint, or `interrupted`. */
export async function connectSsh(target: SshTarget, options: SshOptions): Promise<SshSession> {
  const endings = new Map<Client, Ending>();
  const { client, socket } = await logIn(target, options, (made) => endings.set(made, watchEnd(made, target)));
  const ending = endings.get(client)!;
  const limits = timeLimits(target.patience);
  const request = (ask: (done: ClientCallback) => void) => openChannel(ask, target, ending, limits);
  const open = openInTurns((command) => request((done) => client.exec(command, done)), limits, options);
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
    openSocket: (path) =>
      request((done) => client.openssh_forwardOutStreamLocal(path, done)).catch((error: unknown) => {
        if (error instanceof SessionRefused) return undefined;
        throw error;
      }),
    onClose: ending.onEnd,
    close: () => {
      ending.expect();
      client.end();
      // A node that does not answer must not keep this process waiting, nor get unsent data later.
      setTimeout(() => socket.resetAndDestroy(), 1000).unref();
    },
  };
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
  // Complaints about a key or an ssh agent do not matter after the login.
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

/** Throws `SessionRefused` if the server refuses, and as `SshSession.openChannel`. */
function openChannel(
  ask: (done: ClientCallback) => void,
  place: Place,
  ending: Ending,
  { openMs }: TimeLimits,
): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      const what = `${nameOf(place)} did not answer the request to run a command within ${secondsText(openMs)}`;
      reject(new VnmError('timeout', what, { hint: patienceHint("see the log of the node's SSH server") }));
    }, openMs);
    const fail = (cause: unknown): void => {
      clearTimeout(timer);
      const error = ending.error();
      reject(
        error ??
          refusedSession(place, cause) ??
          new VnmError('failed', `${nameOf(place)} does not run commands: ${messageOf(cause)}`, {
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
