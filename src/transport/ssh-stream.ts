/** Runs one command over SSH with its streams joined to others, for as long as it takes. */
import type { Readable, Writable } from 'node:stream';
import { VnmError } from '../model/errors.ts';
import { interrupted, nameOf } from './ssh-errors.ts';
import type { ChannelSource } from './ssh-exec.ts';
import type { SshChannel } from './ssh-types.ts';

interface CommandStreams {
  readonly stdin: Readable;
  /** Neither is ended with the command. The command waits when they do not take more. */
  readonly stdout: Writable;
  readonly stderr: Writable;
}

export interface StreamOptions extends CommandStreams {
  /** What the command is, in words. */
  readonly what: string;
  /** Interrupts the command. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the command on the node: first by a request that it may handle, then in any case. */
  readonly end: (how: 'INT' | 'KILL') => Promise<void>;
}

export interface Ended {
  /** null when a signal ended the command. */
  readonly code: number | null;
  /** Without `SIG`. */
  readonly signal?: string;
}

/** How long an interrupted command may take to end by itself. */
const graceMs = 2000;

/**
 * Throws VnmError `interrupted` once the command has ended or was killed, `unreachable` when the connection ends first,
 * and as `ChannelSource.open`. When one of the streams fails, ends the command, too, and throws `failed`, or the
 * stream's own VnmError.
 */
export async function streamCommand(source: ChannelSource, command: string, options: StreamOptions): Promise<Ended> {
  const { signal, what } = options;
  const where = `${what} on ${nameOf(source.place)}`;
  if (signal?.aborted) throw interrupted(where, signal);
  const channel = await source.open(command);
  const closed = endOf(channel);
  const { failed, written } = join(channel, options);
  const onAbort = Promise.withResolvers<'aborted'>();
  const abort = () => onAbort.resolve('aborted');
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  try {
    const first = await Promise.race([closed, failed, onAbort.promise]);
    if (first === 'aborted' || first instanceof Error) {
      await stop(channel, closed, options.end);
      throw first === 'aborted' ? interrupted(where, signal) : streamFault(where, first);
    }
    if (first.code !== null || first.signal !== undefined) {
      await written;
      return first;
    }
    throw source.ending.error() ?? new VnmError('unreachable', `the connection ended before ${where}`);
  } finally {
    signal?.removeEventListener('abort', abort);
    options.stdin.unpipe(channel);
  }
}

function streamFault(where: string, error: Error): VnmError {
  if (error instanceof VnmError) return error;
  return new VnmError('failed', `cannot pass on the input or output of ${where}: ${error.message}`, { cause: error });
}

function endOf(channel: SshChannel): Promise<Ended> {
  return new Promise((resolve) => {
    channel.on('close', (code?: number | null, signal?: string) =>
      resolve({ code: code ?? null, ...(signal === undefined ? {} : { signal: signal.replace(/^SIG/, '') }) }),
    );
  });
}

/** `failed`: the first error of one of the streams that are not the channel's. `written`: all output was passed on. */
function join(channel: SshChannel, { stdin, stdout, stderr }: CommandStreams) {
  const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
  // A command may end before it has read all its input.
  channel.on('error', () => {});
  stdin.once('error', fail);
  stdin.pipe(channel);
  const pass = async (from: Readable, to: Writable) => {
    to.once('error', fail);
    from.pipe(to, { end: false });
    await new Promise((resolve) => from.once('end', resolve).once('close', resolve));
  };
  return { failed, written: Promise.all([pass(channel, stdout), pass(channel.stderr as Readable, stderr)]) };
}

async function stop(
  channel: SshChannel,
  closed: Promise<Ended>,
  end: (how: 'INT' | 'KILL') => Promise<void>,
): Promise<void> {
  channel.resume();
  channel.stderr.resume();
  await attempt(end('INT'));
  const isClosed = await Promise.race([closed.then(() => true), later()]);
  if (!isClosed) await attempt(end('KILL'));
  channel.close();
}

function later(): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, graceMs, false).unref());
}

/** On a connection that has ended there is nothing left to do. */
async function attempt(ending: Promise<void>): Promise<void> {
  await ending.catch(() => {});
}
