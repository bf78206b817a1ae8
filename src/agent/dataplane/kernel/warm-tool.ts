/** A tool that waits for lines (`-batch -`), driven without the event loop, so that its thread can time it exactly. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, read, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { VnmError } from '../../../model/errors.ts';
import { makeRealtime, toolPriority } from '../../realtime.ts';
import { cannotRun, environment } from '../../run.ts';
import { type ArmedTool, kernelWords } from './ip.ts';
import { endedAsSilent, endTool, patienceMs } from './silent-tools.ts';

/**
 * The timing thread's ends of a tool's pipes. Reading the answer blocks, since nothing is quicker; the other two do not
 * block.
 */
export interface Pipes {
  readonly pid: number;
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

/**
 * The question after the lines: it makes the tool flush its answer, which is always one line. The one for `ip` does not
 * wait for the kernel's configuration lock, which other processes may hold.
 */
const fences: Record<ArmedTool, string> = { ip: 'neigh show dev lo\n', tc: 'qdisc show dev lo\n' };

/** A busy node takes long to start a process, and at this point timing is not critical. */
const startPatienceMs = 10_000;

const readSome = promisify(read);

export class WarmTool {
  readonly #tool: ArmedTool;
  readonly #waiting: Int32Array;
  readonly #buffer = Buffer.alloc(65_536);
  #pipes: Pipes | undefined;
  /** The number of answers that are still to be read. */
  #owed = 0;

  /** `waiting`: the memory that `endSilentTools`, on another thread, watches. */
  constructor(tool: ArmedTool, waiting: Int32Array) {
    this.#tool = tool;
    this.#waiting = waiting;
  }

  /** Continues with another process. */
  take(pipes: Pipes): void {
    this.#drop();
    this.#pipes = pipes;
  }

  /**
   * Wakes the tool without waiting for it: a process that has just run, on a processor that is awake, runs again in
   * half the time.
   */
  wake(): void {
    if (this.#pipes === undefined) return;
    // If it has ended, the next lines start it again.
    if (askFor(fences[this.#tool], this.#pipes)) this.#owed += 1;
  }

  /**
   * Runs all lines, even after one that fails, and returns when they are done: the error, if any. Only a line with a
   * missing interface ends the tool.
   */
  work(lines: readonly string[]): string | undefined {
    const text = Buffer.from(lines.join('') + fences[this.#tool]);
    try {
      return this.#ask(text);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
      // It was ended while it waited, so it has done nothing yet.
      this.#drop();
      return this.#ask(text);
    }
  }

  #ask(text: Buffer): string | undefined {
    this.#pipes ??= this.#start();
    const { pid, stdin, stdout, stderr } = this.#pipes;
    Atomics.add(this.#waiting, 1, 1);
    Atomics.store(this.#waiting, 0, pid);
    try {
      writeAll(stdin, text);
      for (this.#owed += 1; this.#owed > 0; ) {
        const count = readSync(stdout, this.#buffer);
        if (count === 0) return this.#fail(this.#whyEnded(stderr));
        this.#owed -= linesIn(this.#buffer, count);
      }
    } finally {
      Atomics.store(this.#waiting, 0, 0);
    }
    // Errors are written before the answer, so they are complete.
    const said = readNow(stderr);
    return said === '' ? undefined : `${this.#tool}: ${kernelWords(said)}`;
  }

  /** Takes some ms; only used to replace a tool that has ended. */
  #start(): Pipes {
    const pipes = startTool(this.#tool);
    makeRealtime(pipes.pid, toolPriority);
    return pipes;
  }

  #whyEnded(stderr: number): string {
    if (Atomics.load(this.#waiting, 0) === endedAsSilent) return `'${this.#tool}' did not answer for ${patienceMs} ms`;
    return `'${this.#tool}' ended: ${kernelWords(readNow(stderr))}`;
  }

  /** Drops the tool; the next lines start it again. */
  #fail(message: string): string {
    this.#drop();
    return message;
  }

  #drop(): void {
    if (this.#pipes !== undefined) closePipes(this.#pipes);
    this.#pipes = undefined;
    this.#owed = 0;
  }
}

/** Asks a question. Returns whether the tool can answer. */
function askFor(fence: string, { stdin }: Pipes): boolean {
  try {
    writeAll(stdin, Buffer.from(fence));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    return false;
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}

/** Counts the lines that end in the first `count` bytes. */
function linesIn(buffer: Buffer, count: number): number {
  let lines = 0;
  for (let index = 0; index < count; index += 1) if (buffer[index] === 0x0a) lines += 1;
  return lines;
}

/** Allocated once: a new buffer each time would have to be collected, which takes a good part of a millisecond. */
const complaints = Buffer.alloc(65_536);

/** Returns what can be read now. */
function readNow(fd: number): string {
  try {
    return complaints.toString('utf8', 0, readSync(fd, complaints));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

/** Closes the pipes, which also ends the tool. */
export function closePipes({ stdin, stdout, stderr }: Pipes): void {
  for (const fd of [stdin, stdout, stderr]) closeSync(fd);
}

/**
 * Starts a tool for the timing thread, in another thread: that takes some ms, and a thread without an event loop would
 * not notice its end. The tool knows all interfaces by their names, and assumes from now on that they stay the same.
 * Throws VnmError `unsupported`, `failed`.
 */
export async function startReadyTool(tool: ArmedTool): Promise<Pipes> {
  const pipes = startTool(tool);
  const impatience = setTimeout(endTool, startPatienceMs, pipes.pid);
  try {
    askFor(fences[tool], pipes);
    const buffer = Buffer.alloc(65_536);
    for (let lines = 0; lines === 0; ) {
      const { bytesRead } = await readSome(pipes.stdout, { buffer });
      if (bytesRead === 0) throw new VnmError('failed', `'${tool}' ended: ${kernelWords(readNow(pipes.stderr))}`);
      lines = linesIn(buffer, bytesRead);
    }
    // Not earlier: its start would keep others from the processor for some ms.
    makeRealtime(pipes.pid, toolPriority);
    return pipes;
  } catch (error) {
    closePipes(pipes);
    throw error;
  } finally {
    clearTimeout(impatience);
  }
}

/**
 * Starts a tool with named pipes: the pipes that `spawn` makes only work through the event loop. Throws VnmError
 * `unsupported`.
 */
function startTool(tool: ArmedTool): Pipes {
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

function spawnOver(tool: ArmedTool, paths: readonly string[]): Pipes {
  const { O_RDONLY, O_RDWR, O_WRONLY, O_NONBLOCK } = constants;
  // Opening one end waits for the other, unless a process has both.
  const both = paths.map((path) => openSync(path, O_RDWR));
  const theirs = paths.map((path, index) => openSync(path, index === 0 ? O_RDONLY : O_WRONLY));
  const ours = paths.map((path, index) => openSync(path, [O_WRONLY, O_RDONLY, O_RDONLY | O_NONBLOCK][index]!));
  try {
    const child = spawn(tool, ['-json', '-force', '-batch', '-'], {
      env: environment,
      stdio: theirs as [number, number, number],
    });
    const [stdin, stdout, stderr] = ours as [number, number, number];
    child.unref();
    // An 'error' event without a listener would end the process; the missing process id shows this error.
    child.on('error', () => undefined);
    if (child.pid === undefined) throw cannotRun(tool, new Error('it does not start'));
    return { pid: child.pid, stdin, stdout, stderr };
  } catch (error) {
    for (const fd of ours) closeSync(fd);
    throw error;
  } finally {
    for (const fd of [...both, ...theirs]) closeSync(fd);
  }
}
