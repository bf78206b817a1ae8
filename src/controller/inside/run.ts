/** Runs a command that an agent has started, with its streams passed in requests over the kept channel. */
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../../model/errors.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import { type CommandEnd, maxCommandBytes, type Params } from '../../vsys/messages.ts';

export type Caller = Pick<AgentConnection, 'call' | 'limits'>;

export interface Outputs {
  readonly stdout: (data: Buffer) => Promise<void>;
  readonly stderr: (data: Buffer) => Promise<void>;
}

interface RunOptions {
  readonly stdin: Readable;
  /** Neither is ended with the command. The command waits when they do not take more. */
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** What the command is, in words. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** How long an interrupted command may take to end by itself. */
const graceMs = 2000;

/**
 * Joins a started command to the streams until it ends. Throws VnmError `interrupted` once the command has ended or was
 * killed, `unreachable` when the connection ends first. When one of the streams fails, ends the command, too, and
 * throws `failed`, or the stream's own VnmError.
 */
export async function runCommand(caller: Caller, id: string, options: RunOptions): Promise<CommandEnd> {
  const { stdin, stdout, stderr, what, signal } = options;
  const streams = [writerOf(stdout), writerOf(stderr)] as const;
  const ended = readAll(caller, id, { stdout: streams[0].write, stderr: streams[1].write });
  const aborted = abortOf(signal, what);
  const fed = feed(caller, id, stdin);
  try {
    return await Promise.race([ended, fed, aborted.promise]);
  } catch (error) {
    // Without its channel, the command is ended by the agent.
    if (!(error instanceof VnmError && error.code === 'unreachable')) await end(caller, id, ended);
    throw error instanceof VnmError ? error : streamFault(what, error as Error);
  } finally {
    aborted.stop();
    fed.catch(() => {});
    for (const stream of streams) stream.stop();
  }
}

/** Passes on what a command prints until it ends. Throws what `outputs` throw, and as `AgentConnection.call`. */
export async function readAll({ call, limits }: Caller, id: string, outputs: Outputs): Promise<CommandEnd> {
  for (;;) {
    const { stdout, stderr, ended } = await call('exec_read', { id }, { timeoutMs: limits.answerMs });
    for (const [text, write] of [
      [stdout, outputs.stdout],
      [stderr, outputs.stderr],
    ] as const) {
      if (text !== '') await write(Buffer.from(text, 'base64'));
    }
    if (ended !== undefined) return ended;
  }
}

/** Asks a command to end. It may have ended already. */
export async function signalCommand(
  { call, limits }: Caller,
  id: string,
  signal: Params<'exec_signal'>['signal'],
): Promise<void> {
  await call('exec_signal', { id, signal }, { timeoutMs: limits.questionMs }).catch((error: unknown) => {
    if (!(error instanceof VnmError)) throw error;
  });
}

/** Interrupts a command, and kills it if it does not end soon. `reading`: what has read its outputs so far. */
async function end(caller: Caller, id: string, reading: Promise<CommandEnd>): Promise<void> {
  // Its outputs may have failed; it ends only when they are read.
  const ended = reading
    .catch(() => readAll(caller, id, { stdout: drop, stderr: drop }))
    .then(
      () => true,
      () => true,
    );
  const isOver = () => Promise.race([ended, sleep(graceMs, false, { ref: false })]);
  await signalCommand(caller, id, 'INT');
  if (await isOver()) return;
  await signalCommand(caller, id, 'KILL');
  // What it started may hold its outputs open, and hide; the agent closes them with the channel.
  await isOver();
}

const drop = async (): Promise<void> => {};

/** Never resolves; rejects when the input fails. */
async function feed({ call, limits }: Caller, id: string, stdin: Readable): Promise<never> {
  const write = async (data: Buffer, end: boolean): Promise<boolean> => {
    const params = { id, data: data.toString('base64'), end };
    for (;;) {
      const { accepted, open } = await call('exec_write', params, { timeoutMs: limits.answerMs });
      if (accepted) return open;
    }
  };
  try {
    let isOpen = true;
    for await (const chunk of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (let at = 0; isOpen && at < chunk.length; at += maxCommandBytes) {
        isOpen = await write(chunk.subarray(at, at + maxCommandBytes), false);
      }
      if (!isOpen) break;
    }
    if (isOpen) await write(Buffer.alloc(0), true);
  } catch (error) {
    // Its end and the fault of the connection are for the reader of its outputs.
    if (!(error instanceof VnmError)) throw error;
  }
  return new Promise<never>(() => {});
}

/** Writes to a stream and waits until it has taken all; fails as the stream does. */
function writerOf(stream: Writable): { write: (data: Buffer) => Promise<void>; stop: () => void } {
  const ignore = () => {};
  // The callback of the write has the error; without a listener it would end this process.
  stream.on('error', ignore);
  return {
    write: (data) =>
      new Promise((resolve, reject) => {
        stream.write(data, (error) => (error == null ? resolve() : reject(error)));
      }),
    stop: () => void setImmediate(() => stream.off('error', ignore)),
  };
}

function abortOf(signal: AbortSignal | undefined, what: string): { promise: Promise<never>; stop: () => void } {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(new VnmError('interrupted', `${what} was interrupted`, { cause: signal?.reason }));
  promise.catch(() => {});
  if (signal?.aborted) abort();
  else signal?.addEventListener('abort', abort, { once: true });
  return { promise, stop: () => signal?.removeEventListener('abort', abort) };
}

function streamFault(what: string, error: Error): VnmError {
  return new VnmError('failed', `cannot pass on the input or output of ${what}: ${error.message}`, { cause: error });
}
