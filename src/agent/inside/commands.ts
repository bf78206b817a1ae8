/** Commands that run on this node for a controller, each for as long as its channel at most. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../../model/errors.ts';
import { type CommandEnd, maxCommandBytes, type Params, type Results } from '../../vsys/messages.ts';
import { cannotRun } from '../run.ts';
import { markName, signalMarked } from './marked.ts';

export interface Commands {
  /**
   * `ended` aborts when the command's channel has ended, and the command with it. Throws VnmError `conflict` if too
   * many run, `unsupported` if it cannot be started.
   */
  start(words: readonly string[], environment: Record<string, string>, ended?: AbortSignal): Promise<{ id: string }>;
  /** Each throws VnmError `not-found` for an id that is not known, or no longer. */
  read(params: Params<'exec_read'>): Promise<Results['exec_read']>;
  write(params: Params<'exec_write'>): Promise<Results['exec_write']>;
  signal(params: Params<'exec_signal'>): Promise<Results['exec_signal']>;
  /** Kills all of them. */
  closeAll(): void;
}

/** The most commands at a time. */
const maxCommands = 16;
/** How long `read` waits for output, and `write` for room. */
const waitMs = 1000;
/** How long a command whose channel has ended may take to end by itself. */
const graceMs = 2000;

interface Running {
  readonly child: ChildProcess;
  readonly stdout: Kept;
  readonly stderr: Kept;
  /** Emits `change` when there is something to read, or the end. */
  readonly changes: EventEmitter;
  /** Set once it has ended and `stdout` and `stderr` have all that it printed. */
  end?: CommandEnd;
}

export function createCommands(): Commands {
  const running = new Map<string, Running>();

  function find(id: string): Running {
    const one = running.get(id);
    if (one === undefined) throw new VnmError('not-found', `no command with the id '${id}' runs`);
    return one;
  }

  async function abandon(id: string): Promise<void> {
    const one = running.get(id);
    if (one === undefined) return;
    // Its outputs have no reader any more.
    running.delete(id);
    for (const stream of [one.child.stdout, one.child.stderr, one.child.stdin]) stream?.destroy();
    signalMarked(id, 'SIGTERM');
    await sleep(graceMs);
    signalMarked(id, 'SIGKILL');
  }

  return {
    async start([program, ...words], environment, ended) {
      if (running.size >= maxCommands) {
        throw new VnmError('conflict', `${maxCommands} commands of the slice run on this node`, {
          hint: 'wait until one has ended',
        });
      }
      const id = randomUUID();
      const child = spawnMarked(id, [program!, ...words], environment);
      const spawned = once(child, 'spawn');
      const changes = new EventEmitter();
      const changed = () => void changes.emit('change');
      const one: Running = { child, changes, stdout: keep(child.stdout, changed), stderr: keep(child.stderr, changed) };
      // What it does not read is dropped.
      child.stdin.on('error', () => {});
      // What it left behind may hold its outputs open.
      child.once('exit', () => signalMarked(id, 'SIGKILL'));
      child.once('close', (code, signal) => {
        one.end = { code, ...(signal === null ? {} : { signal: signal.replace(/^SIG/, '') }) };
        changed();
      });
      running.set(id, one);
      try {
        await spawned;
      } catch (error) {
        running.delete(id);
        throw cannotRun(program!, error as Error);
      }
      const abort = () => void abandon(id);
      if (ended?.aborted) abort();
      else ended?.addEventListener('abort', abort, { once: true });
      return { id };
    },

    async read({ id }) {
      const one = find(id);
      if (one.end === undefined && one.stdout.isEmpty() && one.stderr.isEmpty()) await waitFor(one.changes, 'change');
      const { end } = one;
      const output = { stdout: one.stdout.take().toString('base64'), stderr: one.stderr.take().toString('base64') };
      if (end === undefined) return output;
      running.delete(id);
      return { ...output, ended: end };
    },

    async write({ id, data, end }) {
      const { stdin } = find(id).child;
      const isOpen = () => stdin?.writable === true;
      if (isOpen() && stdin!.writableNeedDrain) await waitFor(stdin!, 'drain');
      if (!isOpen()) return { accepted: true, open: false };
      if (stdin!.writableNeedDrain) return { accepted: false, open: true };
      stdin!.write(Buffer.from(data, 'base64'));
      if (end) stdin!.end();
      return { accepted: true, open: !end };
    },

    async signal({ id, signal }) {
      find(id);
      signalMarked(id, `SIG${signal}`);
      return {};
    },

    closeAll() {
      for (const id of running.keys()) signalMarked(id, 'SIGKILL');
    },
  };
}

/** In a session of its own, so that it has no terminal. Throws VnmError `unsupported`. */
function spawnMarked(mark: string, [program, ...words]: readonly string[], environment: Record<string, string>) {
  const env = { ...environment, [markName]: mark };
  try {
    return spawn(program!, words, { cwd: '/', env, stdio: 'pipe', detached: true });
  } catch (error) {
    // Node.js throws some errors, such as too long a list of arguments, and reports others.
    throw cannotRun(program!, error as Error);
  }
}

/** Waits for an event, but not for long. */
async function waitFor(emitter: EventEmitter, event: string): Promise<void> {
  await once(emitter, event, { signal: AbortSignal.timeout(waitMs) }).catch(() => {});
}

type Kept = ReturnType<typeof keep>;

/** Keeps what a stream gives until it is taken; the stream waits while that is much. */
function keep(stream: Readable, onChange: () => void) {
  let chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxCommandBytes) stream.pause();
    onChange();
  });
  // 'close' follows, and only that matters.
  stream.on('error', () => {});
  return {
    isEmpty: () => bytes === 0,
    take: () => {
      const all = Buffer.concat(chunks);
      chunks = [];
      bytes = 0;
      stream.resume();
      return all;
    },
  };
}
