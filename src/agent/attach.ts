/** Connects a client's standard input and output to the slice's agent, and starts that one where there is none. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../model/errors.ts';
import { type AgentPaths, agentPaths } from './paths.ts';

const patienceMs = 10_000;
const pollMs = 20;
/** How `flock` ends when somebody else has the lock. */
const lockedExitCode = 75;

/** Resolves when either side has ended. Throws VnmError `failed` when no agent can be started. `file`: of this program. */
export async function attach(slice: string, file: string): Promise<void> {
  const paths = agentPaths(slice);
  const socket = (await tryConnect(paths.socket)) ?? (await startDaemon(slice, file, paths));
  process.stdout.on('error', () => socket.destroy());
  socket.on('error', () => socket.destroy());
  process.stdin.pipe(socket).pipe(process.stdout);
  await once(socket, 'close');
  process.stdin.destroy();
}

/** Undefined where nobody listens. */
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
 * Several may come here at once, and an old agent may just be ending: whoever gets the lock starts one, all wait for it. The
 * kernel releases the lock with the process that has it, however that ends.
 */
async function startDaemon(slice: string, file: string, paths: AgentPaths): Promise<Socket> {
  mkdirSync(paths.runDirectory, { recursive: true });
  chmodSync(paths.runDirectory, 0o700);
  const logged = statSync(paths.log, { throwIfNoEntry: false })?.size ?? 0;
  let exitCode: number | null | undefined = lockedExitCode;
  for (const start = performance.now(); performance.now() - start < patienceMs; await sleep(pollMs)) {
    const socket = await tryConnect(paths.socket);
    if (socket !== undefined) return socket;
    if (exitCode === lockedExitCode) {
      exitCode = undefined;
      spawnDaemon(slice, file, paths, (code) => {
        exitCode = code;
      });
    } else if (exitCode !== undefined) {
      throw new VnmError('failed', `the agent did not start: ${readFileSync(paths.log, 'utf8').slice(logged).trim()}`);
    }
  }
  throw new VnmError('failed', `the agent did not start within ${patienceMs / 1000} s`, { hint: `see ${paths.log}` });
}

function spawnDaemon(slice: string, file: string, paths: AgentPaths, onExit: (code: number | null) => void): void {
  const log = openSync(paths.log, 'a', 0o600);
  const lock = ['--nonblock', '--no-fork', '--conflict-exit-code', String(lockedExitCode), paths.lock];
  const child = spawn('flock', [...lock, process.execPath, file, 'daemon', '--slice', slice], {
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
