/** Commands of users on a node, as words that no shell interprets. */
import { VnmError } from '../model/errors.ts';
import { posixWord } from '../model/posix-word.ts';

/** A variable in the environment of a command and of all that it starts, by which they can be found. */
const markName = 'PL_VNM_EXEC';

/** What any SSH server accepts in one request, less some room. */
const maxBytes = 32_000;

/** Runs a script that is its argument, with some bytes as the octal numbers that `printf %b` decodes. */
const decode = `sh -c 'eval "$(printf %b "$1")"' sh`;

/** Characters that mean nothing to any login's shell within single quotes, nor to `printf %b`. */
const plain = /[A-Za-z0-9_./=:,@%+ -]/;

/**
 * Returns the line for the login's shell that runs a program with exactly these arguments, and nothing between it and
 * the program. Other shells than POSIX ones quote in other ways, so they only see an encoded script for `sh`. `mark`:
 * letters and digits. Throws VnmError `usage` for words that cannot be a command, or are too many.
 */
export function remoteCommand(words: readonly string[], mark: string): string {
  checkCommand(words);
  const script = `export ${markName}=${mark}; exec ${words.map(posixWord).join(' ')}`;
  const line = `${decode} '${encoded(script)}'`;
  if (line.length <= maxBytes) return line;
  throw new VnmError('usage', `the command has ${line.length} bytes in its form for SSH; at most ${maxBytes} fit`, {
    hint: 'pass long input on stdin',
  });
}

/** Throws VnmError `usage` for words that cannot be a command. */
export function checkCommand(words: readonly string[]): void {
  const [program] = words;
  if (program === undefined || program === '' || program.startsWith('-')) {
    throw new VnmError('usage', `'${program ?? ''}' is not the name of a program`, {
      hint: "write the command after '--': pl-vnm exec SLICE NAME -- ping -c 3 10.64.0.3",
    });
  }
  if (words.some((word) => word.includes('\0'))) throw new VnmError('usage', 'a command cannot contain a zero byte');
}

/** Returns a line that sends a signal to all processes with the mark that the login may signal. */
export function signalCommand(mark: string, signal: 'INT' | 'KILL'): string {
  const script =
    'cd /proc || exit; for pid in [0-9]*; do if grep -qs "$1" "$pid/environ"; then kill -s "$2" "$pid"; fi; done';
  return `sh -c '${script}' sh ${markName}=${mark} ${signal}`;
}

function encoded(script: string): string {
  return [...Buffer.from(script)].map(encodedByte).join('');
}

function encodedByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return plain.test(character) ? character : `\\0${byte.toString(8).padStart(3, '0')}`;
}
