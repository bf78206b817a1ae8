/** The program as a user runs it: a process of its own, with a database, a home and a working directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const program = fileURLToPath(new URL('../../src/cli/pl-vnm.mjs', import.meta.url));
/** So that a program that starts a hundred times is not compiled a hundred times. */
const compiled = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url));
/** Longer than any command takes; one that hangs is killed. */
const patienceMs = 240_000;

export interface Finished {
  /** Null: it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  /** Resolves once that text has come on stderr; fails when the program ends without. */
  said(text: string): Promise<void>;
  /** Ctrl-C. */
  interrupt(): void;
  /** No chance to do anything any more. */
  kill(): void;
  readonly finished: Promise<Finished>;
}

/** A command as it is typed, without the program's name; `more` words may hold spaces. */
export interface CommandLine {
  readonly directory: string;
  readonly database: string;
  start(command: string, ...more: string[]): Running;
  run(command: string, ...more: string[]): Promise<Finished>;
  /** With `--json`: the exit code, the one document that stdout holds, and what stderr says. */
  json<T = unknown>(command: string, ...more: string[]): Promise<{ code: number | null; json: T; stderr: string }>;
  /** The document alone, of what must succeed. */
  ok<T = unknown>(command: string, ...more: string[]): Promise<T>;
  /** Removes its files. */
  remove(): void;
}

export function commandLine(): CommandLine {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-system-'));
  const database = join(directory, 'vnm.db');
  const home = join(directory, 'home');
  mkdirSync(home);
  const { SSH_AUTH_SOCK: _, PL_VNM_DB: __, ...inherited } = process.env;
  const start = (command: string, ...more: string[]) =>
    running(
      spawn(process.execPath, [program, '--db', database, ...command.split(' '), ...more], {
        cwd: directory,
        env: { ...inherited, HOME: home, NODE_COMPILE_CACHE: compiled },
        timeout: patienceMs,
        killSignal: 'SIGKILL',
      }),
    );
  const run = (command: string, ...more: string[]) => start(command, ...more).finished;
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
  return { directory, database, start, run, json, ok, remove: () => rmSync(directory, { recursive: true }) };
}

function running(child: ChildProcess): Running {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const finished = once(child, 'close').then(([code]): Finished => ({ code: code as number | null, ...output }));
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
  return { said, interrupt: () => void child.kill('SIGINT'), kill: () => void child.kill('SIGKILL'), finished };
}
