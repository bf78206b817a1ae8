/** A tool that waits for lines (`-batch -`), driven without the event loop, so that its thread can time it exactly. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VnmError } from '../../model/errors.ts';
import { kernelWords } from '../dataplane/kernel/ip.ts';
import { cannotRun, environment } from '../dataplane/kernel/run.ts';
import { monotonicMs, sleepMs } from './time.ts';
import type { Tool } from './types.ts';

/** Asked after the lines: it makes the tool flush its answer, which is one line, and there always is one. */
const fences: Record<Tool, string> = { ip: 'link show lo\n', tc: 'qdisc show dev lo\n' };

const patienceMs = 1000;
/** Between two looks for the answer. Not spun away: the tool may need this processor. */
const pollMs = 0.02;
/**
 * An answer that takes longer waits for a lock in the kernel, and whoever has it may need a processor that this thread, being
 * real-time, would keep from it: then it looks less often.
 */
const promptMs = 1;
const slowPollMs = 0.5;

/** This end of the tool's pipes, none of which ever blocks. */
interface Pipes {
  readonly pid: number;
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

export class WarmTool {
  readonly #tool: Tool;
  readonly #buffer = Buffer.alloc(65_536);
  #pipes: Pipes | undefined;

  constructor(tool: Tool) {
    this.#tool = tool;
  }

  /** Starts it anew, which takes some ms: from its first line on it believes that interfaces stay the ones they were. */
  renew(): string | undefined {
    this.#drop();
    return this.work([]);
  }

  /** Works all the lines, also after one that fails, and answers when they are done: what failed, if anything did. */
  work(lines: readonly string[]): string | undefined {
    const text = Buffer.from(lines.join('') + fences[this.#tool]);
    try {
      return this.#ask(text);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
      // Somebody has ended it while it waited, so it has done nothing yet.
      this.#drop();
      return this.#ask(text);
    }
  }

  #ask(text: Buffer): string | undefined {
    this.#pipes ??= startTool(this.#tool);
    const { pid, stdin, stdout, stderr } = this.#pipes;
    const deadlineMs = monotonicMs() + patienceMs;
    for (let written = 0; written < text.length; ) {
      const count = tryIo(() => writeSync(stdin, text, written));
      if (count === undefined) this.#waitUntil(deadlineMs, pid);
      else written += count;
    }
    for (let answer = ''; !answer.endsWith('\n'); ) {
      const count = tryIo(() => readSync(stdout, this.#buffer));
      if (count === 0) return this.#fail(`'${this.#tool}' ended: ${kernelWords(this.#read(stderr))}`);
      if (count === undefined) this.#waitUntil(deadlineMs, pid);
      else answer = this.#buffer.toString('latin1', 0, count);
    }
    // Written before the answer, so all of it is there.
    const complaints = this.#read(stderr);
    return complaints === '' ? undefined : `${this.#tool}: ${kernelWords(complaints)}`;
  }

  #read(fd: number): string {
    const count = tryIo(() => readSync(fd, this.#buffer)) ?? 0;
    return this.#buffer.toString('utf8', 0, count);
  }

  #waitUntil(deadlineMs: number, pid: number): void {
    const leftMs = deadlineMs - monotonicMs();
    if (leftMs > 0) {
      sleepMs(leftMs > patienceMs - promptMs ? pollMs : slowPollMs);
      return;
    }
    process.kill(pid, 'SIGKILL');
    throw new Error(this.#fail(`'${this.#tool}' has not answered for ${patienceMs} ms`));
  }

  /** It is started anew for what comes next. */
  #fail(message: string): string {
    this.#drop();
    return message;
  }

  #drop(): void {
    const { stdin, stdout, stderr } = this.#pipes ?? {};
    for (const fd of [stdin, stdout, stderr]) if (fd !== undefined) closeSync(fd);
    this.#pipes = undefined;
  }
}

/** Undefined when it would block. */
function tryIo(io: () => number): number | undefined {
  try {
    return io();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

/** Through named pipes: the ones that `spawn` makes can be used through the event loop only. Throws VnmError `unsupported`. */
function startTool(tool: Tool): Pipes {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-'));
  try {
    const paths = ['stdin', 'stdout', 'stderr'].map((name) => join(directory, name));
    const made = spawnSync('mkfifo', ['-m', '600', ...paths], { env: environment, encoding: 'utf8' });
    if (made.error !== undefined) throw cannotRun('mkfifo', made.error);
    if (made.status !== 0) throw new VnmError('failed', kernelWords(made.stderr));
    return spawnOver(tool, paths);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function spawnOver(tool: Tool, paths: readonly string[]): Pipes {
  const { O_RDONLY, O_RDWR, O_WRONLY, O_NONBLOCK } = constants;
  // Opening one end waits for the other, unless somebody has both.
  const both = paths.map((path) => openSync(path, O_RDWR));
  const theirs = paths.map((path, index) => openSync(path, index === 0 ? O_RDONLY : O_WRONLY));
  const ours = paths.map((path, index) => openSync(path, (index === 0 ? O_WRONLY : O_RDONLY) | O_NONBLOCK));
  try {
    const child = spawn(tool, ['-json', '-force', '-batch', '-'], {
      env: environment,
      stdio: theirs as [number, number, number],
    });
    const [stdin, stdout, stderr] = ours as [number, number, number];
    child.unref();
    if (child.pid === undefined) throw cannotRun(tool, new Error('it does not start'));
    return { pid: child.pid, stdin, stdout, stderr };
  } catch (error) {
    for (const fd of ours) closeSync(fd);
    throw error;
  } finally {
    for (const fd of [...both, ...theirs]) closeSync(fd);
  }
}
