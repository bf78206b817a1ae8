/** Connections to a node that ssh2's server serves: only public keys, `exec` requests, Unix sockets. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import type { AuthContext, Connection, ParsedKey, ServerChannel } from 'ssh2';
import keyParser from 'ssh2/lib/protocol/keyParser.js';
import Server from 'ssh2/lib/server.js';
import { nodeFiles } from './layout.ts';

/** The signals that an exit message can name (RFC 4254, section 6.10). */
const namedSignals = new Set(
  ['ABRT', 'ALRM', 'FPE', 'HUP', 'ILL', 'INT', 'KILL', 'PIPE', 'QUIT', 'SEGV', 'TERM', 'USR1', 'USR2'].map(
    (name) => `SIG${name}`,
  ),
);

export interface Login {
  readonly user: string;
  /** The environment of its commands. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Its home: where its commands run, and where it may connect to sockets. */
  readonly cwd: string;
}

export function embeddedConnections(home: string, login: Login): (socket: Socket) => void {
  const files = nodeFiles(home);
  const clientKey = keyParser.parseKey(readFileSync(files.authorizedKeys));
  if (clientKey instanceof Error) throw clientKey;
  const server = new Server({ hostKeys: [readFileSync(files.hostKey)] }, (connection) =>
    serve(connection, clientKey, login),
  );
  return (socket) => server.injectSocket(socket);
}

function serve(connection: Connection, clientKey: ParsedKey, login: Login): void {
  connection.on('error', (error) => console.error(`connection: ${error.message}`));
  connection.on('authentication', (attempt) => {
    if (isClient(attempt, clientKey, login.user)) attempt.accept();
    else attempt.reject(['publickey']);
  });
  connection.on('session', (acceptSession) => {
    // Requests without a listener here (shell, terminal, subsystem) are rejected.
    acceptSession().on('exec', (acceptExec, _reject, { command }) => execute(acceptExec(), command, login));
  });
  connection.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
    // The machine itself may be a node of the same slice, whose agent has its socket elsewhere.
    if (socketPath.startsWith(`${login.cwd}/`)) join(accept, reject, socketPath);
    else reject();
  });
}

/** Without a signature the client only asks whether the key would be accepted. */
function isClient(attempt: AuthContext, clientKey: ParsedKey, user: string): boolean {
  if (attempt.method !== 'publickey' || attempt.username !== user) return false;
  const expected = clientKey.getPublicSSH();
  const { algo, data } = attempt.key;
  if (algo !== clientKey.type || data.length !== expected.length || !timingSafeEqual(data, expected)) return false;
  if (attempt.signature === undefined) return true;
  return clientKey.verify(attempt.blob ?? Buffer.alloc(0), attempt.signature, attempt.hashAlgo) === true;
}

function execute(channel: ServerChannel, command: string, { env, cwd }: Login): void {
  const child = spawn('/bin/sh', ['-c', command], { detached: true, env, cwd });
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  // A command need not read its input to the end.
  child.stdin.on('error', () => undefined);
  child.on('error', (error) => console.error(`command: ${error.message}`));
  child.on('close', (code, signal) => report(channel, code, signal));
  channel.on('close', () => hangUp(child));
}

/** Joins a channel to a Unix socket. Each side's end is passed on after what it has sent. */
function join(accept: () => ServerChannel, reject: () => void, path: string): void {
  const socket = connect({ path, allowHalfOpen: true });
  socket.once('error', reject);
  socket.once('connect', () => {
    const channel = accept();
    // 'close' follows, and only that matters.
    socket.off('error', reject).on('error', () => undefined);
    channel.pipe(socket).pipe(channel);
    socket.once('close', () => channel.end(() => channel.close()));
    channel.once('close', () => socket.destroySoon());
  });
}

/** All output has been read; the channel ends when both streams have sent it. */
function report(channel: ServerChannel, code: number | null, signal: NodeJS.Signals | null): void {
  if (signal !== null && namedSignals.has(signal)) channel.exit(signal);
  else channel.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]);
  channel.stderr.end(() => channel.end());
}

/** The client has gone: ends the command and the processes that it started, unless these have detached themselves. */
function hangUp(child: ChildProcessWithoutNullStreams): void {
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGHUP');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
