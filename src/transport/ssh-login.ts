/** From a byte stream to a login: verifies the host key, then tries one key after the other. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import Client from 'ssh2/lib/client.js';
import { messageOf, type VnmError } from '../model/errors.ts';
import { timeLimits } from '../model/patience.ts';
import { type HostKeyGuard, hostKeyGuard } from './host-key-guard.ts';
import { Dropped, logInTurns } from './login-turns.ts';
import {
  type Attempt,
  because,
  explainFailure,
  explainTimeout,
  interrupted,
  nameOf,
  type Reason,
  unreachable,
} from './ssh-errors.ts';
import { type Greeting, listenToGreeting } from './ssh-greeting.ts';
import { type KeyRing, keyRing } from './ssh-keys.ts';
import type { SshOptions, SshServer } from './ssh-types.ts';

export interface Login {
  readonly client: Client;
  /** Distinguishes the server from others with the same address behind other jump hosts. */
  readonly place: string;
  /** Drops the connection at once, with what was not sent yet. */
  readonly drop: () => void;
}

/** The server before this one on the way. */
export interface Carrier {
  readonly place: string;
  /** Makes a connection to a host from there. Throws VnmError `unreachable`, and `Dropped` where it is too busy. */
  connect(server: SshServer): Promise<Duplex>;
  /** Why it no longer carries anything; undefined as long as it does. */
  error(): VnmError | undefined;
}

/** The limit for one of several addresses, so that a dead one does not hold up the others. */
const addressMs = 2000;

/**
 * Resolves once logged in. `made`: called with every client before it connects. Errors as `connectSsh`; after an error
 * nothing stays open. `carrier`: absent for a direct connection.
 */
export async function logIn(
  server: SshServer,
  options: SshOptions,
  made: (client: Client) => void,
  carrier?: Carrier,
): Promise<Login> {
  const { signal, connectTimeoutMs = timeLimits(server.patience).loginMs } = options;
  if (server.proxyCommand !== undefined) {
    throw unreachable(server, {
      reason: `the SSH configuration has a ProxyCommand for it, which only the program ssh can use`,
      hint: "let it connect: 'ssh: { transport: openssh }' in the slice file; or name the servers to pass: 'ssh: { jump: [USER@HOST] }'",
    });
  }
  const place = placeOf(server, carrier);
  return logInTurns(place, { withinMs: connectTimeoutMs, signal }, async () => {
    const keys = await keyRing(server);
    if (keys.isEmpty) throw unreachable(server, withUnread(server, keys.explain()));
    const hostKey = hostKeyGuard(server, options.acceptNewHostKeys);
    const attempt = { server, options, hostKey, connectTimeoutMs, carrier };
    try {
      return await tryLogIn({ ...attempt, keys, isLogged: false }, made);
    } catch (error) {
      if (!(error instanceof NothingInCommon)) throw error;
      return await tryLogIn({ ...attempt, keys: await keyRing(server), isLogged: true }, made).catch((again) => {
        throw again instanceof NothingInCommon ? again.reason : again;
      });
    }
  });
}

/** No common algorithm; a try with ssh2's own log can say what the server offers. */
class NothingInCommon extends Error {
  readonly reason: VnmError;

  constructor(reason: VnmError) {
    super(reason.message);
    this.reason = reason;
  }
}

interface Try {
  readonly server: SshServer;
  readonly options: SshOptions;
  readonly keys: KeyRing;
  readonly hostKey: HostKeyGuard;
  readonly connectTimeoutMs: number;
  readonly carrier: Carrier | undefined;
  /** Whether to read ssh2's own log, which has a line for every packet. */
  readonly isLogged: boolean;
}

async function tryLogIn(
  { server, options, keys, hostKey, connectTimeoutMs, carrier, isLogged }: Try,
  made: (client: Client) => void,
): Promise<Login> {
  const { signal, keepaliveMs = timeLimits(server.patience).keepaliveMs } = options;
  const aborted = (): VnmError => interrupted(`the connection to ${nameOf(server)}`, signal);
  if (signal?.aborted) throw aborted();
  const carried = await carrier?.connect(server);
  if (signal?.aborted) {
    carried?.destroy();
    throw aborted();
  }
  const client = new Client();
  made(client);

  let phase: Attempt['phase'] = carried === undefined ? 'connecting' : 'handshake';
  let greeting: Greeting | undefined;
  const attempt = (): Attempt => ({
    phase,
    isKnown: hostKey.isKnown,
    ...(greeting === undefined ? {} : { greeting }),
  });
  const { stream, drop } =
    carried === undefined ? direct(server) : { stream: carried, drop: () => void carried.destroy() };
  stream.once('connect', () => {
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
        stream.destroy();
        reject(error);
      }
    };
    const fail = (error?: Error): void => {
      const isAuthentication = phase === 'authentication';
      const broken = carrier?.error();
      const reason =
        broken !== undefined ? because(broken) : isAuthentication ? keys.explain() : explainFailure(error, attempt());
      const fault = hostKey.refusal() ?? unreachable(server, withUnread(server, reason), error);
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
      () => end(unreachable(server, explainTimeout(attempt(), connectTimeoutMs))),
      connectTimeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    client.once('ready', () => end());
    client.on('error', onError).on('close', onClose);
    client.connect({
      sock: stream,
      username: server.user,
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
        if (method === undefined) end(unreachable(server, withUnread(server, keys.explain())));
        else next(method);
      },
    });
    greeting = listenToGreeting(stream);
  });
  return { client, place: placeOf(server, carrier), drop };
}

function placeOf({ host, port }: SshServer, carrier: Carrier | undefined): string {
  return `${carrier?.place ?? ''}>${host}:${port}`;
}

function direct({ host, port, family }: SshServer): { stream: Duplex; drop: () => void } {
  const socket = connect({
    ...{ host, port, noDelay: true, autoSelectFamilyAttemptTimeout: addressMs },
    ...(family === undefined ? {} : { family }),
  });
  return { stream: socket, drop: () => void socket.resetAndDestroy() };
}

/** Adds that there is a configuration which was not read. */
function withUnread({ unread }: SshServer, { reason, hint }: Reason): Reason {
  return unread === undefined ? { reason, hint } : { reason, hint: `${hint}; ${unread}` };
}

function oneLine(text: string): string {
  return text
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 300);
}
