/** A connection of the program `ssh`, which carries the sessions of a node (ControlMaster). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { messageOf, VnmError } from '../../model/errors.ts';
import { timeLimits } from '../../model/patience.ts';
import { jumpPool } from '../jump-pool.ts';
import { Dropped, logInTurns } from '../login-turns.ts';
import { because, explainTimeout, interrupted, lost, nameOf, unreachable } from '../ssh-errors.ts';
import type { Ending, SshOptions, SshServer } from '../ssh-types.ts';
import { explainLog } from './explain.ts';
import { newPrivatePath } from './folder.ts';
import { readLog } from './log.ts';
import { masterWords } from './options.ts';
import { mayAsk, whileAsking } from './questions.ts';

export interface Master extends Pick<Started, 'server' | 'socket' | 'place'> {
  readonly ending: Ending;
  close(): void;
}

interface Started {
  readonly socket: string;
  readonly server: SshServer;
  /** Distinguishes the server from others with the same address behind other jump hosts. */
  readonly place: string;
  readonly through: Master | undefined;
}

/** A person needs time for a second factor; servers give up after 120 s, too (LoginGraceTime). */
const askMs = 120_000;

/**
 * Logs in. Throws VnmError `unreachable`, `interrupted`. `through`: the jump host before it.
 */
export async function startMaster(
  program: string,
  server: SshServer,
  options: SshOptions,
  through: Master | undefined,
): Promise<Master> {
  const { signal, connectTimeoutMs = timeLimits(server.patience).loginMs } = options;
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
    const master = masterOn(held, { socket, server, place, through });
    if (!readLog(log).includes('Failed to add the host')) return master;
    master.close();
    throw notKept(server);
  } finally {
    await rm(log, { force: true });
  }
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

/** Resolves with the exit code of `ssh`, which goes to the background after the login. */
async function logIn({
  program,
  words,
  log,
  server,
  timeoutMs,
  asks,
  signal,
}: {
  program: string;
  words: readonly string[];
  log: string;
  server: SshServer;
  timeoutMs: number;
  asks: boolean;
  signal: AbortSignal | undefined;
}): Promise<number | null> {
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
function masterOn(held: Socket, { socket, server, place, through }: Started): Master {
  const listeners: ((error?: VnmError) => void)[] = [];
  let isExpected = false;
  let loss: VnmError | undefined;
  let isOver = false;
  held.on('error', () => undefined).resume();
  held.once('close', () => {
    isOver = true;
    if (!isExpected) loss = lost(server, through?.ending.error());
    for (const listener of listeners.splice(0)) listener(loss);
  });
  const ending: Ending = {
    error: () =>
      isOver ? (loss ?? new VnmError('unreachable', `the connection to ${nameOf(server)} is closed`)) : undefined,
    onEnd: (listener) => {
      if (isOver) listener(loss);
      else listeners.push(listener);
    },
    expect: () => {
      isExpected = true;
    },
  };
  return {
    server,
    socket,
    ending,
    place,
    close: () => {
      isExpected = true;
      if (isOver) return;
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

/** Throws as `jumpPool` and `startMaster`. */
export function mastersOf(program: string): ReturnType<typeof jumpPool<Master>> {
  const known = pools.get(program);
  if (known !== undefined) return known;
  const made = jumpPool<Master>((server, options, before) => startMaster(program, server, options, before));
  pools.set(program, made);
  return made;
}

const pools = new Map<string, ReturnType<typeof jumpPool<Master>>>();
