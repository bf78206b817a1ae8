/** A connection of the program `ssh`, which carries the sessions of a node (ControlMaster). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { commandPath } from '../../model/command-path.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { timeLimits } from '../../model/patience.ts';
import { newEnding } from '../ending.ts';
import { jumpPool } from '../jump-pool.ts';
import { Dropped, logInTurns } from '../login-turns.ts';
import { because, explainTimeout, interrupted, nameOf, unreachable } from '../ssh-errors.ts';
import type { Ending, SshOptions, SshServer } from '../ssh-types.ts';
import { explainLog } from './explain.ts';
import { newPrivatePath } from './folder.ts';
import { readLog } from './log.ts';
import { masterWords } from './options.ts';
import { mayAsk, whileAsking } from './questions.ts';

export interface Master extends Omit<Started, 'through'> {
  readonly ending: Ending;
  close(): void;
}

interface Started {
  /** The path of the program `ssh`. */
  readonly program: string;
  /** The path of the control socket. */
  readonly socket: string;
  readonly server: SshServer;
  /** Distinguishes the server from others with the same address behind other jump hosts. */
  readonly place: string;
  readonly through: Master | undefined;
}

/** A person needs time for a second factor; servers give up after 120 s, too (LoginGraceTime). */
const askMs = 120_000;

export const takeMasters = jumpPool<Master>(startMaster);

/** Logs in. Throws VnmError `unreachable`, `unsupported`, `interrupted`. `through`: the jump host before the server. */
export async function startMaster(
  server: SshServer,
  options: SshOptions,
  through: Master | undefined,
): Promise<Master> {
  const { signal, connectTimeoutMs = timeLimits(server.patience).loginMs } = options;
  const program = programFor(server);
  const socket = newPrivatePath();
  const log = `${socket}.log`;
  const place = `${through?.place ?? ''}>${server.proxyCommand ?? `${server.host}:${server.port}`}`;
  const tryOnce = async (asks: boolean): Promise<void> => {
    await rm(log, { force: true });
    const timeoutMs = asks ? Math.max(askMs, connectTimeoutMs) : connectTimeoutMs;
    const words = masterWords(server, options, { program, socket, log, through: through?.socket, timeoutMs, asks });
    if (options.acceptNewHostKeys) makeFolderOf(server);
    const end = await logIn({ program, words, log, server, timeoutMs, asks, signal });
    if (end === 0) return;
    const broken = through?.ending.error();
    if (broken !== undefined) throw unreachable(server, because(broken));
    const { error, isDropped, isRefused } = explainLog(readLog(log), server, through?.server);
    if (isDropped) throw new Dropped(error);
    throw isRefused ? new Refused(error) : error;
  };
  try {
    await logInTurns(place, { withinMs: connectTimeoutMs, signal }, () => tryOnce(false)).catch(async (error) => {
      if (!(error instanceof Refused)) throw error;
      if (!mayAsk()) throw error.reason;
      await whileAsking(() => tryOnce(true)).catch((again) => {
        throw again instanceof Refused || again instanceof Dropped ? again.reason : again;
      });
    });
    const held = connect(socket);
    await once(held, 'connect').catch((cause: unknown) => {
      throw unreachable(server, {
        reason: `ssh connected, but has no control socket: ${messageOf(cause)}`,
        hint: 'try again',
      });
    });
    const master = masterOn(held, { program, socket, server, place, through });
    if (!readLog(log).includes('Failed to add the host')) return master;
    master.close();
    throw notKept(server);
  } finally {
    await rm(log, { force: true });
  }
}

function programFor(server: SshServer): string {
  const program = commandPath('ssh');
  if (program !== undefined) return program;
  throw new VnmError('unsupported', `${nameOf(server)} has transport openssh, but there is no program 'ssh' here`, {
    hint: "install the OpenSSH client, or remove 'transport: openssh' from the slice file",
  });
}

/** `ssh` makes a missing file of known hosts, but not its folder. */
function makeFolderOf(server: SshServer): void {
  try {
    mkdirSync(dirname(server.knownHosts.addTo), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw notKept(server, cause);
  }
}

function notKept(server: SshServer, cause?: unknown): VnmError {
  const why = cause === undefined ? '' : `: ${messageOf(cause)}`;
  const reason = `its host key cannot be added to ${server.knownHosts.addTo}${why}`;
  return unreachable(server, { reason, hint: 'make the file writable' }, cause);
}

/** The server accepted no key; it may accept an answer of the user. */
class Refused extends Error {
  readonly reason: VnmError;

  constructor(reason: VnmError) {
    super(reason.message);
    this.reason = reason;
  }
}

interface LogIn {
  readonly program: string;
  readonly words: readonly string[];
  readonly log: string;
  readonly server: SshServer;
  readonly timeoutMs: number;
  readonly asks: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Resolves with the exit code of `ssh`, which goes to the background after the login. */
async function logIn({ program, words, log, server, timeoutMs, asks, signal }: LogIn): Promise<number> {
  if (signal?.aborted) throw interrupted(`the connection to ${nameOf(server)}`, signal);
  // Commands for the connection (ProxyCommand) keep stderr for as long as it lasts.
  const stderr = asks ? 'inherit' : openSync(log, 'a', 0o600);
  const child = spawn(program, words, { stdio: [asks ? 'inherit' : 'ignore', 'ignore', stderr] });
  if (typeof stderr === 'number') closeSync(stderr);
  const timer = setTimeout(() => child.kill(), timeoutMs);
  const onAbort = () => child.kill();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    if (signal?.aborted) throw interrupted(`the connection to ${nameOf(server)}`, signal);
    if (code === null) throw unreachable(server, explainTimeout({ phase: 'connecting' }, timeoutMs));
    return code;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * `ssh` ends a while after the last connection to its control socket has closed: the held one keeps it, and tells when
 * it has ended, without a process of its own; and a killed controller leaves nothing.
 */
function masterOn(held: Socket, { through, ...started }: Started): Master {
  const { ending, end } = newEnding(started.server, () => through?.ending.error());
  held
    .on('error', () => undefined)
    .once('close', end)
    .resume();
  return {
    ...started,
    ending,
    close: () => {
      ending.expect();
      if (ending.error() !== undefined) return;
      held.write(endRequest);
      setTimeout(() => held.destroy(), 1000).unref();
    },
  };
}

/** Of the protocol of control sockets (PROTOCOL.mux of OpenSSH's sources): the greeting, and MUX_C_TERMINATE. */
const endRequest = Buffer.concat([message(1, 4), message(0x10000005, 0)]);

/** 32-bit numbers with their length in bytes before them. */
function message(...words: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 + 4 * words.length);
  [4 * words.length, ...words].forEach((word, index) => void buffer.writeUInt32BE(word, 4 * index));
  return buffer;
}
