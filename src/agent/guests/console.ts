/**
 * The console of a machine: its guest's first serial port, a socket to which one program connects at a time. This part
 * of the agent runs as a process of its own, started by `exec` and `console`: it joins its streams with the console, or
 * runs one command in the shell that must be there and ends with the command's exit code.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { VnmError } from '../../model/errors.ts';
import { posixWord } from '../../model/posix-word.ts';

/** Ctrl-], as telnet has it: nothing that a shell needs. */
const leave = 0x1d;
const interrupt = '\x03';
/** A shell that is busy with nothing answers at once, but a guest may be slow. */
const answerMs = 15_000;
/** The longest line that the shell of busybox edits, and so the longest command. */
const maxLineBytes = 1000;

/**
 * Runs until the console or the input ends. `words`: a command; without it, whatever is typed. Returns an exit code.
 */
export async function useConsole(path: string, words: readonly string[]): Promise<number> {
  const socket = await connectTo(path);
  try {
    return await (words.length === 0 ? typed(socket) : runInShell(socket, words));
  } finally {
    socket.destroy();
  }
}

async function connectTo(path: string): Promise<Socket> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    throw new VnmError('unsupported', `the console does not answer: ${(error as Error).message}`, { cause: error });
  }
}

async function typed(socket: Socket): Promise<number> {
  const { stdin, stdout } = process;
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdout.write('This is the console; Ctrl-] leaves it.\r\n');
  }
  const ended = Promise.race([once(socket, 'close'), once(stdin, 'end'), once(process, 'SIGTERM')]);
  socket.on('data', (chunk: Buffer) => stdout.write(chunk));
  socket.on('error', () => {});
  const left = new Promise<void>((resolve) => {
    stdin.on('data', (chunk: Buffer) => {
      const at = stdin.isTTY ? chunk.indexOf(leave) : -1;
      socket.write(at < 0 ? chunk : chunk.subarray(0, at));
      if (at >= 0) resolve();
    });
  });
  // A shell prints its prompt again.
  if (stdin.isTTY) socket.write('\r');
  await Promise.race([ended, left]);
  return 0;
}

/**
 * The marks around the output: the echo of the line that prints them does not have them. Pure, for tests.
 */
export function shellLine(mark: string, words: readonly string[]): string {
  const [one, other] = [mark.slice(0, 4), mark.slice(4)];
  const say = (what: string) => `printf '\\n%s%s${what}\\n' ${one} ${other}`;
  return ` ${say(':begin')}; ( ${words.map(posixWord).join(' ')} ) < /dev/null; ${say(':end:%s')} $?\r`;
}

/** Reads the output of one command out of what the console prints. Pure: `take` returns what to print. */
export function outputReader(mark: string) {
  const begin = Buffer.from(`${mark}:begin\n`);
  const endPattern = new RegExp(`\\n${mark}:end:(\\d+)`);
  /** What may be the beginning of the end. */
  const longestEnd = `\n${mark}:end:255\n`.length;
  let rest = Buffer.alloc(0);
  let hasBegun = false;
  let hasEnded = false;
  return {
    hasBegun: () => hasBegun,
    take(chunk: Buffer): { output: Buffer; code?: number } {
      if (hasEnded) return { output: Buffer.alloc(0) };
      // A terminal ends its lines so.
      rest = Buffer.from(Buffer.concat([rest, chunk]).toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
      if (!hasBegun) {
        const at = rest.indexOf(begin);
        if (at < 0) return { output: Buffer.alloc(0) };
        hasBegun = true;
        rest = rest.subarray(at + begin.length);
      }
      const text = `\n${rest.toString('latin1')}`;
      const end = endPattern.exec(text);
      if (end !== null && text.length > end.index + end[0].length) {
        hasEnded = true;
        return { output: rest.subarray(0, Math.max(end.index - 1, 0)), code: Number(end[1]) };
      }
      const keep = Math.min(rest.length, longestEnd);
      const output = rest.subarray(0, rest.length - keep);
      rest = rest.subarray(rest.length - keep);
      return { output };
    },
  };
}

async function runInShell(socket: Socket, words: readonly string[]): Promise<number> {
  const mark = randomBytes(6).toString('hex');
  const line = shellLine(mark, words);
  if (Buffer.byteLength(line) > maxLineBytes || line.includes('\n')) {
    throw new VnmError(
      'unsupported',
      `a command on a console has at most some ${maxLineBytes - 120} bytes and no line feed`,
      {
        hint: 'open the console with pl-vnm console, or put the commands into the image',
      },
    );
  }
  const reader = outputReader(mark);
  return new Promise<number>((resolve, reject) => {
    const silent = setTimeout(() => {
      if (!reader.hasBegun()) {
        reject(
          new VnmError('unsupported', 'no shell answers on the console of the machine', {
            hint: 'look at it with pl-vnm console: the guest may still boot, or want a login',
          }),
        );
      }
    }, answerMs);
    const stop = () => {
      socket.write(interrupt);
      clearTimeout(silent);
      setTimeout(() => resolve(130), 500);
    };
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    socket.on('error', reject);
    socket.on('close', () => reject(new VnmError('failed', 'the machine ended')));
    socket.on('data', (chunk: Buffer) => {
      const { output, code } = reader.take(chunk);
      if (output.length > 0) process.stdout.write(output);
      if (code === undefined) return;
      clearTimeout(silent);
      resolve(code);
    });
    // What somebody has typed and left is no part of the command.
    socket.write(`${interrupt}${line}`);
  });
}
