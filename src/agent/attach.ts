/** Connects a client's standard input and output to the slice's agent, and starts the agent if none runs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandPath } from '../model/command-path.ts';
import { VnmError } from '../model/errors.ts';
import { cleanStart, lockedExitCode, underLock } from '../vsys/clean-start.ts';
import { type AgentPaths, agentPaths } from './paths.ts';
import { closeInherited } from './surroundings.ts';

/**
 * How long to wait for an agent to start. A connected client decides itself when to stop waiting; after it has left,
 * the shorter time applies.
 */
const patienceMs = { there: 600_000, gone: 60_000 };
const pollMs = 20;
/** When one side has ended, how long the other may take to read what is in transit. */
const farewellMs = 1000;
/** How long a client that is still connected may take to read the agent's last output. */
const lastWordsMs = 30_000;

/**
 * Resolves when either side has ended. Throws VnmError `failed` when no agent can be started. `file`: the path of this
 * program. `policy`: the policy for an agent that this starts, as `decodePolicy` reads it.
 */
export async function attach(slice: string, file: string, policy?: string): Promise<void> {
  process.chdir('/');
  closeInherited();
  const paths = agentPaths(slice);
  const client = watchClient();
  try {
    const socket =
      (await tryConnect(paths.socket)) ?? (await startDaemon(daemonWords(slice, file, policy), paths, client.ended));
    await join(client, socket);
  } finally {
    // An open input would keep this process, and with it the SSH channel, alive after the agent has ended.
    process.stdin.destroy();
    setTimeout(() => process.exit(), client.ended.aborted ? farewellMs : lastWordsMs).unref();
  }
}

interface Client {
  readonly input: PassThrough;
  /** Aborted once the client has closed its end or its output cannot be written. */
  readonly ended: AbortSignal;
}

/** Reads from the start, to notice when the client leaves while the agent starts. */
function watchClient(): Client {
  const ending = new AbortController();
  const input = new PassThrough();
  const end = () => {
    ending.abort();
    input.end();
  };
  process.stdin.once('end', end).once('close', end).once('error', end);
  process.stdout.once('error', end);
  process.stdin.pipe(input);
  return { input, ended: ending.signal };
}

/** Resolves when either side has ended and the other has read what was in transit, or its time for that has passed. */
async function join({ input, ended }: Client, socket: Socket): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const end = () => void setTimeout(() => socket.destroy(), farewellMs).unref();
  // 'close' follows, and only that matters.
  socket.on('error', () => {});
  if (ended.aborted) end();
  else ended.addEventListener('abort', end, { once: true });
  input.pipe(socket).pipe(process.stdout);
  await closed;
}

function daemonWords(slice: string, file: string, policy: string | undefined): string[] {
  return [file, 'daemon', '--slice', slice, ...(policy === undefined ? [] : ['--policy', policy])];
}

/** Returns undefined if no process listens. */
async function tryConnect(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/**
 * Starts an agent and connects to it. Several clients may do this at once, and an old agent may still be shutting down:
 * the client that gets the lock starts the agent, and all wait for it. The lock is `flock`'s, or where there is no
 * `flock` the agent's own (`daemon-lock.ts`); both end with their holder, however it ends.
 */
async function startDaemon(words: readonly string[], paths: AgentPaths, clientEnded: AbortSignal): Promise<Socket> {
  mkdirSync(paths.runDirectory, { recursive: true });
  chmodSync(paths.runDirectory, 0o700);
  const logged = statSync(paths.log, { throwIfNoEntry: false })?.size ?? 0;
  let exitCode: number | null | undefined = lockedExitCode;
  const start = performance.now();
  const limitMs = () => patienceMs[clientEnded.aborted ? 'gone' : 'there'];
  for (; performance.now() - start < limitMs(); await sleep(pollMs)) {
    const socket = await tryConnect(paths.socket);
    if (socket !== undefined) return socket;
    // An agent without a channel ends on its own, with exit code 0.
    if (exitCode === lockedExitCode || exitCode === 0) {
      exitCode = undefined;
      spawnDaemon(words, paths, (code) => {
        exitCode = code;
      });
    } else if (exitCode !== undefined) {
      throw new VnmError('failed', `the agent did not start: ${readFileSync(paths.log, 'utf8').slice(logged).trim()}`);
    }
  }
  throw new VnmError('failed', `the agent did not start within ${limitMs() / 1000} s`, { hint: `see ${paths.log}` });
}

function spawnDaemon(words: readonly string[], paths: AgentPaths, onExit: (code: number | null) => void): void {
  const log = openSync(paths.log, 'a', 0o600);
  const daemon = [process.execPath, ...words];
  const command =
    commandPath('flock') === undefined ? [...daemon, '--own-lock'] : [...underLock(paths.lock), ...daemon];
  const child = spawn('sh', ['-c', cleanStart, 'sh', ...command], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.on('exit', onExit);
  child.on('error', (error) => {
    appendFileSync(paths.log, `${error.message}\n`);
    onExit(null);
  });
  child.unref();
}
