/** From a TCP connection to a login: verifies the host key, then tries one key after the other. */
import { connect, type Socket } from 'node:net';
import Client from 'ssh2/lib/client.js';
import { messageOf, type VnmError } from '../model/errors.ts';
import { timeLimits } from '../model/patience.ts';
import { type HostKeyGuard, hostKeyGuard } from './host-key-guard.ts';
import { inTurn } from './login-turns.ts';
import { sleepUnless } from './sleep.ts';
import { aliasHint } from './ssh-config.ts';
import { type Attempt, explainFailure, explainTimeout, interrupted, nameOf, unreachable } from './ssh-errors.ts';
import { type Greeting, listenToGreeting } from './ssh-greeting.ts';
import { type KeyRing, keyRing } from './ssh-keys.ts';
import type { SshOptions, SshTarget } from './ssh-types.ts';

export interface Login {
  readonly client: Client;
  readonly socket: Socket;
}

/** A server that drops a connection may have too many unauthenticated ones (sshd's MaxStartups). */
const tries = 6;
const firstPauseMs = 150;
/** The limit for one of several addresses, so that a dead one does not hold up the others. */
const addressMs = 2000;

/**
 * Resolves once logged in. `made`: called with every client before it connects. Errors as `connectSsh`; after an error
 * nothing stays open.
 */
export async function logIn(target: SshTarget, options: SshOptions, made: (client: Client) => void): Promise<Login> {
  const limits = timeLimits(target.patience);
  const { signal, connectTimeoutMs = limits.loginMs } = options;
  let spentMs = 0;
  const place = `${target.host}:${target.port}`;
  let isLogged = false;
  for (let attempt = 1; ; attempt += 1) {
    const keys = await keyRing(target.user, target.keyPath);
    if (keys.isEmpty) throw unreachable(target, keys.explain());
    const hostKey = hostKeyGuard(target, options.acceptNewHostKeys);
    if (signal?.aborted) throw interrupted(`the connection to ${nameOf(target)}`, signal);
    try {
      return await inTurn(place, signal, async () => {
        const startMs = performance.now();
        try {
          return await tryLogIn({ target, options, keys, hostKey, connectTimeoutMs, isLogged }, made);
        } finally {
          // The time of log-ins that had their turn before this one does not count.
          spentMs += performance.now() - startMs;
        }
      });
    } catch (error) {
      if (error instanceof NothingInCommon && !isLogged) {
        isLogged = true;
        continue;
      }
      const pauseMs = firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random());
      spentMs += pauseMs;
      const isTooLate = attempt === tries || spentMs > connectTimeoutMs;
      if (!(error instanceof Dropped) || isTooLate) throw error instanceof Excuse ? error.reason : error;
      // The next try reports an interruption.
      await sleepUnless(signal, pauseMs);
    }
  }
}

/** A failure after which another try may help. */
class Excuse extends Error {
  readonly reason: VnmError;

  constructor(reason: VnmError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** The server closed the connection before it sent its name. */
class Dropped extends Excuse {}

/** No common algorithm; a try with ssh2's own log can say what the server offers. */
class NothingInCommon extends Excuse {}

interface Try {
  readonly target: SshTarget;
  readonly options: SshOptions;
  readonly keys: KeyRing;
  readonly hostKey: HostKeyGuard;
  readonly connectTimeoutMs: number;
  /** Whether to read ssh2's own log, which has a line for every packet. */
  readonly isLogged: boolean;
}

async function tryLogIn(
  { target, options, keys, hostKey, connectTimeoutMs, isLogged }: Try,
  made: (client: Client) => void,
): Promise<Login> {
  const { signal, keepaliveMs = timeLimits(target.patience).keepaliveMs } = options;
  const aborted = (): VnmError => interrupted(`the connection to ${nameOf(target)}`, signal);
  if (signal?.aborted) throw aborted();
  const client = new Client();
  made(client);

  let phase: Attempt['phase'] = 'connecting';
  let greeting: Greeting | undefined;
  const attempt = (): Attempt => ({
    phase,
    isKnown: hostKey.isKnown,
    ...(greeting === undefined ? {} : { greeting }),
  });
  const socket = connect({
    host: target.host,
    port: target.port,
    noDelay: true,
    autoSelectFamilyAttemptTimeout: addressMs,
  });
  socket.once('connect', () => {
    phase = 'handshake';
  });
  client.once('handshake', () => {
    phase = 'authentication';
  });
  client.on('banner', (text) => keys.note(`the server says: ${oneLine(text)}`));

  await new Promise<void>((resolve, reject) => {
    const end = (error?: Error): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      client.off('error', onError).off('close', onClose);
      if (error === undefined) {
        resolve();
      } else {
        socket.destroy();
        reject(error);
      }
    };
    const fail = (error?: Error): void => {
      const isAuthentication = phase === 'authentication';
      const reason = isAuthentication ? keys.explain() : withAlias(target, explainFailure(error, attempt()), error);
      const fault = hostKey.refusal() ?? unreachable(target, reason, error);
      const isDropped = phase === 'handshake' && greeting?.isBusy() === true && hostKey.refusal() === undefined;
      const isStrange = error?.message.startsWith('Handshake failed: no matching') === true;
      end(isDropped ? new Dropped(fault) : isStrange ? new NothingInCommon(fault) : fault);
    };
    const onAbort = (): void => end(aborted());
    const onClose = (): void => fail();
    const onError = (error: Error & { level?: string }): void => {
      const isAboutOneKey = error.level === 'agent' || error.level === 'client-authentication';
      if (phase === 'authentication') keys.note(messageOf(error));
      // ssh2 reports a failing key or ssh agent, and continues with the next.
      if (!isAboutOneKey) fail(error);
    };
    const timer = setTimeout(
      () => end(unreachable(target, explainTimeout(attempt(), connectTimeoutMs))),
      connectTimeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    client.once('ready', () => end());
    client.on('error', onError).on('close', onClose);
    client.connect({
      sock: socket,
      username: target.user,
      readyTimeout: 0,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: 3,
      // Other servers than OpenSSH may forward Unix sockets, too.
      strictVendor: false,
      algorithms: { serverHostKey: hostKey.algorithms },
      hostVerifier: (key: Buffer) => hostKey.accepts(key),
      ...(isLogged ? { debug: (line: string) => greeting?.note(line) } : {}),
      authHandler: (left, _partial, next) => {
        keys.accepted(left);
        const method = keys.next();
        if (method === undefined) end(unreachable(target, keys.explain()));
        else next(method);
      },
    });
    greeting = listenToGreeting(socket);
  });
  return { client, socket };
}

/** Adds the hint for a host that no name server knows, if `ssh` would know it. */
function withAlias(
  { host }: SshTarget,
  reason: ReturnType<typeof explainFailure>,
  error: unknown,
): ReturnType<typeof explainFailure> {
  const { code } = (error ?? {}) as { code?: unknown };
  const hint = code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? aliasHint(host) : undefined;
  return hint === undefined ? reason : { ...reason, hint };
}

function oneLine(text: string): string {
  return text
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 300);
}
