/** One command over SSH, from its start to its exit code. */
import { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { VnmError } from '../model/errors.ts';
import { interrupted, nameOf, type Place } from './ssh-errors.ts';
import type { Ending } from './ssh-session.ts';

export interface ExecOptions {
  /** Without it the command reads an empty input. */
  readonly stdin?: Buffer | Readable;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ExecResult {
  /** null when a signal ended the command. */
  readonly code: number | null;
  readonly signal?: string;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** What a session lends to a command. */
export interface ChannelSource {
  readonly place: Place;
  readonly ending: Ending;
  open(command: string): Promise<ClientChannel>;
}

/** As `SshSession.exec`. Stopping closes the channel; most commands end when their streams do. */
export async function runCommand(source: ChannelSource, command: string, options: ExecOptions): Promise<ExecResult> {
  const { signal, timeoutMs } = options;
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, timeout].filter((one) => one !== undefined));
  const what = `a command on ${nameOf(source.place)}`;
  const stopped = (): VnmError =>
    signal?.aborted || timeoutMs === undefined
      ? interrupted(what, signal)
      : new VnmError('timeout', `${what} was not done within ${timeoutMs / 1000} s`);
  if (stop.aborted) throw stopped();

  const opening = source.open(command);
  const running = opening.then((channel) => collect(channel, options.stdin));
  const onStop = Promise.withResolvers<never>();
  const listener = (): void => {
    onStop.reject(stopped());
    opening.then(
      (channel) => channel.close(),
      () => undefined,
    );
  };
  stop.addEventListener('abort', listener, { once: true });
  try {
    const result = await Promise.race([running, onStop.promise]);
    // Without an exit code or a signal the connection may have ended before the command did.
    const error = result.code === null && result.signal === undefined ? source.ending.error() : undefined;
    if (error !== undefined) throw error;
    return result;
  } finally {
    stop.removeEventListener('abort', listener);
  }
}

/** Feeds the command, and waits until its channel is closed. */
function collect(channel: ClientChannel, stdin: Buffer | Readable | undefined): Promise<ExecResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  channel.on('data', (chunk: Buffer) => stdout.push(chunk));
  channel.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A command may end before it has read all its input; its exit code tells whether that is a fault.
  channel.on('error', () => {});
  return new Promise((resolve, reject) => {
    channel.on('close', (code?: number | null, signal?: string) => {
      if (stdin instanceof Readable) stdin.destroy();
      resolve({
        code: code ?? null,
        ...(signal === undefined ? {} : { signal }),
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
    if (!(stdin instanceof Readable)) {
      channel.end(stdin);
      return;
    }
    stdin.on('error', (error) => {
      channel.close();
      reject(error);
    });
    stdin.pipe(channel);
  });
}
