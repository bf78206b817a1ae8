/** OpenSSH's server on loopback with a configuration given by the test. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointText } from '../../src/model/ssh-way.ts';

export const sshdPath = ['/usr/sbin/sshd', '/usr/local/sbin/sshd'].find(existsSync);

export interface Sshd {
  readonly port: number;
  /** What it has logged so far. */
  log(): string;
  /** Ends all connections. */
  drop(): void;
  close(): Promise<void>;
  /** How many connections there are, before or after the login. */
  open(): number;
}

export interface SshdDirectory {
  readonly path: string;
  file(name: string): string;
  /** Starts a server with these lines in its configuration, on an address of loopback. */
  start(lines: readonly string[], address?: string): Promise<Sshd>;
  remove(): Promise<void>;
}

/** Makes the key `host`, and the key `client`, which may log in as root. */
export function sshdDirectory(): SshdDirectory {
  const path = mkdtempSync(join(tmpdir(), 'pl-vnm-sshd-'));
  const file = (name: string) => join(path, name);
  const servers: Sshd[] = [];
  for (const name of ['host', 'client'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(name)]);
  writeFileSync(file('authorized_keys'), readFileSync(file('client.pub')));
  // sshd needs this directory, which the service manager usually makes.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });

  async function start(lines: readonly string[], address = '127.0.0.1'): Promise<Sshd> {
    const port = await freePort(address);
    const usual = [
      ...[
        `ListenAddress ${endpointText(address, port)}`,
        `HostKey ${file('host')}`,
        `AuthorizedKeysFile ${file('authorized_keys')}`,
      ],
      ...['StrictModes no', 'UsePAM no', 'PermitRootLogin yes', 'PidFile none'],
    ];
    // Of two lines with the same keyword, the first counts.
    writeFileSync(file(`config-${port}`), [...lines, ...usual, ''].join('\n'));
    const child = spawn(sshdPath!, ['-D', '-e', '-f', file(`config-${port}`)], { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const server = {
      port,
      log: () => text,
      open: () => childrenOf(child).length,
      drop: () => endChildren(child),
      close: () => end(child),
    };
    servers.push(server);
    await listening(child, server.log);
    return server;
  }

  return {
    path,
    file,
    start,
    remove: async () => {
      await Promise.all(servers.map((server) => server.close()));
      rmSync(path, { recursive: true, force: true });
    },
  };
}

async function listening({ stderr }: ChildProcess, log: () => string): Promise<void> {
  while (!log().includes('Server listening')) {
    if (stderr!.closed) throw new Error(`sshd did not start: ${log()}`);
    await sleep(10);
  }
}

async function freePort(address: string): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}

/** A server has one for each connection. */
function childrenOf({ pid }: ChildProcess): number[] {
  const words = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return words.filter((word) => word !== '').map(Number);
}

function endChildren(server: ChildProcess): void {
  for (const child of childrenOf(server)) process.kill(child);
}

/** How many log-ins a server has accepted, and how many connections have ended since. */
export function loginsOf({ log, open }: Pick<Sshd, 'log' | 'open'>): { accepted: number; ended: number } {
  const accepted = [...log().matchAll(/Accepted publickey/g)].length;
  // How a connection ends is logged in many ways.
  return { accepted, ended: accepted - open() };
}

/** Opens a connection without login, which counts towards MaxStartups until it is closed. */
export async function hold(port: number): Promise<() => void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const [greeting] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
    if (String(greeting).startsWith('SSH-')) return () => void socket.destroy();
    // The server still counts a connection that has closed.
    socket.destroy();
    await sleep(20);
  }
}
