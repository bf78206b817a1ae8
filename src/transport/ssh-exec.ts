/** Runs one command over SSH, from its start to its exit code. */
import { Readable } from 'node:stream';
import { VnmError } from '../model/errors.ts';
import { secondsText } from '../model/patience.ts';
import { interrupted, nameOf, patienceHint } from './ssh-errors.ts';
import type { Ending, Place, SshChannel } from './ssh-types.ts';

export interface ExecOptions {
  /** Without it the command reads an empty input. */
  readonly stdin?: Buffer | Readable;
  /** What the command does, in words; 'a command' by default. */
  readonly what?: string;
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
  open(command: string): Promise<SshChannel>;
}

/** As `SshSession.exec`. To stop a command, closes its channel; most commands end when their streams do. */
export async function runCommand(source: ChannelSource, command: string, options: ExecOptions): Promise<ExecResult> {
  const { signal, timeoutMs, what: task = 'a command' } = options;
  const timeout = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const stop = AbortSignal.any([signal, timeout].filter((one) => one !== undefined));
  const what = `${task} on ${nameOf(source.place)}`;
  const stopped = (): VnmError =>
    signal?.aborted || timeoutMs === undefined
      ? interrupted(what, signal)
      : new VnmError('timeout', `${what} did not finish within ${secondsText(timeoutMs)}`, {
          hint: patienceHint('check whether the login or sudo hangs'),
        });
  if (stop.aborted) throw stopped();

  const opening = source.open(command);
  const running = opening.then((channel) => collect(channel, options.stdin, what));
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

/** Far more than any command that runs here prints. */
const maxOutputBytes = 4 * 1024 * 1024;

/** Feeds the command, and waits until its channel is closed. */
function collect(channel: SshChannel, stdin: Buffer | Readable | undefined, what: string): Promise<ExecResult> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  // A command may end before it has read all its input; its exit code says whether that is a fault.
  channel.on('error', () => {});
  return new Promise((resolve, reject) => {
    let outputBytes = 0;
    const keep = (chunks: Buffer[]) => (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes <= maxOutputBytes) chunks.push(chunk);
      else if (outputBytes - chunk.length <= maxOutputBytes) {
        channel.close();
        reject(endless(what));
      }
    };
    channel.on('data', keep(stdout));
    channel.stderr.on('data', keep(stderr));
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

function endless(what: string): VnmError {
  return new VnmError('unreachable', `${what} printed more than ${maxOutputBytes / 1024 ** 2} MiB`, {
    hint: 'check that it is the right host, and what its login shell prints',
  });
}
