/** Runs the program in a terminal, as a person does. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { readTerminalLine, resizeWords, type TerminalSize, terminalWords } from '../../src/vsys/terminal.ts';
import type { CommandLine } from './command-line.ts';
import { builtProgram } from './program.ts';

export interface InTerminal {
  /** Types these keys. */
  type(keys: string): void;
  /** Resolves once the screen has got that text; rejects if the program ends without it. */
  showed(text: string | RegExp): Promise<void>;
  resize(size: TerminalSize): void;
  /** Closes the terminal. */
  kill(): void;
  /** All that the screen got. */
  readonly finished: Promise<{ code: number | null; output: string }>;
}

/** Longer than any command takes; what hangs is killed. */
const patienceMs = 240_000;
/** The same for what it shows. */
const showMs = 60_000;

export function inTerminal(vnm: CommandLine, size: TerminalSize, ...words: readonly string[]): InTerminal {
  return scriptInTerminal(vnm, size, '"$@"', ...words);
}

/** As `inTerminal`, but runs a script for `sh`, in which "$@" is the command. */
export function scriptInTerminal(
  { database, directory }: CommandLine,
  size: TerminalSize,
  script: string,
  ...words: readonly string[]
): InTerminal {
  const command = ['sh', '-c', script, 'sh', process.execPath, builtProgram(), '--db', database, ...words];
  const [program, ...more] = terminalWords({ ...size, type: 'xterm' }, command);
  const { SSH_AUTH_SOCK: _, PL_VNM_DB: __, ...inherited } = process.env;
  const child = spawn(program!, more, {
    cwd: directory,
    env: { ...inherited, HOME: join(directory, 'home') },
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin.on('error', () => {});
  const finished = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  const device = () => {
    const path = readTerminalLine(errors.split('\n')[0]!);
    if (path == null) throw new Error(`there is no terminal: ${errors}`);
    return path;
  };
  return {
    type: (keys) => void child.stdin.write(keys),
    showed: (text) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (typeof text === 'string' ? output.includes(text) : text.test(output)) resolve();
        };
        look();
        child.stdout.on('data', look);
        const missing = (what: string) => reject(new Error(`${what} without showing '${text}': ${output}\n${errors}`));
        finished.then(() => missing('the program ended'), reject);
        setTimeout(() => missing(`${showMs / 1000} s have passed`), showMs).unref();
      }),
    resize: (to) => {
      const [stty, ...arguments_] = resizeWords(device(), to);
      execFileSync(stty!, arguments_);
    },
    kill: () => void child.kill('SIGKILL'),
    finished,
  };
}
