/** The program as a user runs it: a process of its own, with a database, a home and a working directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { builtProgram } from './program.ts';

const launcher = fileURLToPath(new URL('launcher.mjs', import.meta.url));
/** So that a program that starts a hundred times is not compiled a hundred times. */
const fullFrom = fileURLToPath(new URL('./full-from.mjs', import.meta.url));
const compiled = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url));
/** Longer than any command takes; one that hangs is killed. */
const patienceMs = 240_000;

interface Finished {
  /** Null: it was killed. */
  readonly code: number | null;
  /** It was killed since it took too long. */
  readonly overdue?: true;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  /** Resolves once that text has come on stderr; fails when the program ends without. */
  said(text: string): Promise<void>;
  /** Ctrl-C. */
  interrupt(): void;
  /** Another signal, to this process alone. */
  signal(name: NodeJS.Signals): void;
  /** Whoever read its outputs goes away. */
  closeOutputs(): void;
  /** No chance to do anything any more. */
  kill(): void;
  readonly finished: Promise<Finished>;
}

/** A command as it is typed, without the program's name; `more` words may hold spaces. */
export interface CommandLine {
  readonly directory: string;
  readonly database: string;
  start(command: string, ...more: string[]): Running;
  /** The same under a process that launches it, as where the machine's Node.js is too old; signals go to that process. */
  launch(command: string, ...more: string[]): Running;
  run(command: string, ...more: string[]): Promise<Finished>;
  /** The same with a database that has no room for any write from that phase of a migration on. */
  runFull(phase: string, command: string, ...more: string[]): Promise<Finished>;
  /** The same with stdout in a file. */
  runTo(file: string, command: string, ...more: string[]): Promise<Finished>;
  /** With `--json`: the exit code, the one document that stdout holds, and what stderr says. */
  json<T = unknown>(command: string, ...more: string[]): Promise<{ code: number | null; json: T; stderr: string }>;
  /** The document alone, of what must succeed. */
  ok<T = unknown>(command: string, ...more: string[]): Promise<T>;
  /** Removes its files. */
  remove(): void;
}

/** `directory`: of its files, made here; one of its own without it. `program`: the one that an installed package has. */
export function commandLine(
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-system-')),
  program = builtProgram(),
): CommandLine {
  const database = join(directory, 'vnm.db');
  const home = join(directory, 'home');
  mkdirSync(home, { recursive: true });
  const { SSH_AUTH_SOCK: _, PL_VNM_DB: __, ...inherited } = process.env;
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
      throw new Error(`'${command}' (exit code ${code}) printed no JSON but: ${stdout}\n${stderr}`, { cause });
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
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (output.stderr.includes(text)) resolve();
      };
      look();
      child.stderr!.on('data', look);
      const missing = () => reject(new Error(`it ended without saying '${text}': ${output.stderr}`));
      finished.then(missing, reject);
    });
  const kill = () => {
    isKilled = true;
    child.kill('SIGKILL');
  };
  const signal = (name: NodeJS.Signals) => void child.kill(name);
  return {
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
