/** Runs the program as a user does, in a process with its own database, home and working directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { builtProgram } from './program.ts';

const launcher = fileURLToPath(new URL('launcher.mjs', import.meta.url));
const fullFrom = fileURLToPath(new URL('./full-from.mjs', import.meta.url));
/** The compile cache, so that the program is compiled only once for all its starts. */
export const compiled = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url));
/** Longer than any command takes; a command that hangs is killed. */
const patienceMs = 240_000;

interface Finished {
  /** Null if it was killed. */
  readonly code: number | null;
  /** Whether it was killed because it took too long. */
  readonly overdue?: true;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly stdin: Writable;
  /** Resolves once stderr has that text; rejects if the program ends without it. */
  said(text: string | RegExp): Promise<void>;
  /** Sends Ctrl-C. */
  interrupt(): void;
  /** Sends another signal, to this process alone. */
  signal(name: NodeJS.Signals): void;
  /** Closes the reading ends of its outputs. */
  closeOutputs(): void;
  /** Kills it with SIGKILL. */
  kill(): void;
  readonly finished: Promise<Finished>;
}

/** The environment of this process, without settings and keys of whoever runs the tests. */
export function environment(): NodeJS.ProcessEnv {
  const own = /^(SSH_AUTH_SOCK|XDG_CONFIG_HOME|XDG_STATE_HOME|FORCE_COLOR|PL_VNM_.*)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

/** Runs commands as they are typed, without the program's name; `more` words may have spaces. */
export interface CommandLine {
  readonly directory: string;
  readonly database: string;
  start(command: string, ...more: string[]): Running;
  /** Runs a command under a launching process, as if the machine's Node.js were too old; signals go to that process. */
  launch(command: string, ...more: string[]): Running;
  run(command: string, ...more: string[]): Promise<Finished>;
  /** Runs a command with a database that has no room for writes from that phase of a migration on. */
  runFull(phase: string, command: string, ...more: string[]): Promise<Finished>;
  /** Runs a command with stdout in a file. */
  runTo(file: string, command: string, ...more: string[]): Promise<Finished>;
  /** Runs a command with `--json`; returns the exit code, the document on stdout, and stderr. */
  json<T = unknown>(command: string, ...more: string[]): Promise<{ code: number | null; json: T; stderr: string }>;
  /** Runs a command that must succeed; returns its document. */
  ok<T = unknown>(command: string, ...more: string[]): Promise<T>;
  /** Removes its files. */
  remove(): void;
}

/** `directory` is made for its files; by default a temporary one. `program` is the one of an installed package. */
export function commandLine(
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-system-')),
  program = builtProgram(),
): CommandLine {
  const database = join(directory, 'vnm.db');
  const home = join(directory, 'home');
  mkdirSync(home, { recursive: true });
  const inherited = environment();
  const startBy = (
    how: { launcher?: string; stdout?: number; fullFrom?: string },
    command: string,
    ...more: string[]
  ) =>
    running(
      spawn(
        process.execPath,
        [
          ...(how.launcher === undefined ? [] : [how.launcher]),
          ...(how.fullFrom === undefined ? [] : ['--import', fullFrom]),
          program,
          '--db',
          database,
          ...command.split(' '),
          ...more,
        ],
        {
          cwd: directory,
          stdio: ['pipe', how.stdout ?? 'pipe', 'pipe'],
          env: { ...inherited, HOME: home, NODE_COMPILE_CACHE: compiled, FULL_FROM: how.fullFrom },
          timeout: patienceMs,
          killSignal: 'SIGKILL',
        },
      ),
    );
  const start = (command: string, ...more: string[]) => startBy({}, command, ...more);
  const run = (command: string, ...more: string[]) => start(command, ...more).finished;
  async function runTo(file: string, command: string, ...more: string[]) {
    const stdout = openSync(file, 'w');
    try {
      return await startBy({ stdout }, command, ...more).finished;
    } finally {
      closeSync(stdout);
    }
  }
  async function json<T>(command: string, ...more: string[]) {
    const { code, stdout, stderr } = await run(`--json ${command}`, ...more);
    try {
      return { code, json: JSON.parse(stdout) as T, stderr };
    } catch (cause) {
      throw new Error(`'${command}' (exit code ${code}) did not print JSON: ${stdout}\n${stderr}`, { cause });
    }
  }
  async function ok<T>(command: string, ...more: string[]): Promise<T> {
    const { code, json: answer, stderr } = await json<T>(command, ...more);
    expect(code, `'${command}' answered ${JSON.stringify(answer)}\n${stderr}`).toBe(0);
    return answer;
  }
  const launch = (command: string, ...more: string[]) => startBy({ launcher }, command, ...more);
  const runFull = (phase: string, command: string, ...more: string[]) =>
    startBy({ fullFrom: phase }, command, ...more).finished;
  return {
    directory,
    database,
    start,
    launch,
    run,
    runFull,
    runTo,
    json,
    ok,
    remove: () => rmSync(directory, { recursive: true }),
  };
}

function running(child: ChildProcess): Running {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  let isKilled = false;
  const finished = once(child, 'close').then(([code, signal]): Finished => {
    return { code: code as number | null, ...(signal === 'SIGKILL' && !isKilled ? { overdue: true } : {}), ...output };
  });
  const said = (text: string | RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (typeof text === 'string' ? output.stderr.includes(text) : text.test(output.stderr)) resolve();
      };
      look();
      child.stderr!.on('data', look);
      const missing = () => reject(new Error(`the program ended without writing '${text}': ${output.stderr}`));
      finished.then(missing, reject);
    });
  const kill = () => {
    isKilled = true;
    child.kill('SIGKILL');
  };
  const signal = (name: NodeJS.Signals) => void child.kill(name);
  return {
    stdin: child.stdin!,
    said,
    signal,
    interrupt: () => signal('SIGINT'),
    kill,
    closeOutputs: () => {
      child.stdout?.destroy();
      child.stderr!.destroy();
    },
    finished,
  };
}
