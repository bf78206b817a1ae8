/**
 * Shared nodes, as an administrator runs them: nodes of a local testbed, each with its own /etc, /usr/local/lib and
 * /run, so that tests use the real paths, accounts and sudo rules without changing this machine. Each has an `sshd`
 * that accepts the administrator, as root or as `boss` who may become root, and a login for the slice without rights.
 * Needs root.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandPath } from '../../src/model/command-path.ts';
import type { TestbedNode } from '../../src/testbed/record.ts';

export interface SharedNodes {
  /** The paths of private keys. */
  readonly adminKey: string;
  readonly sliceKey: string;
  readonly nodes: ReadonlyMap<string, SharedNode>;
  /** Ends the processes started here; the testbed ends the others in its namespaces. */
  close(): Promise<void>;
}

export interface SharedNode {
  readonly name: string;
  readonly port: number;
  /** The address to which other nodes send tunnel packets. */
  readonly address: string;
  /** Runs a command as root on the node; throws if it fails. */
  asRoot(command: string): string;
}

/** A script for `sh` in a new mount namespace; its argument is the login's name. */
const furnish = `
set -e
mount -t tmpfs tmpfs /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs tmpfs /usr/local/lib
mount -t tmpfs -o mode=755 tmpfs /run
chmod 755 /usr/local/lib
mkdir -m 755 /run/sshd
# What this machine's root starts with every shell (~/.bashrc) would run on each node at once, and some of it locks.
mkdir -m 700 /mnt/root
sed -i 's|^\\(root:.*\\):[^:]*:\\([^:]*\\)$|\\1:/mnt/root:\\2|' /etc/passwd
useradd --password '*' --no-create-home --home-dir / --shell /bin/sh "$1"
useradd --password '*' --no-create-home --home-dir / --shell /bin/sh boss
echo 'boss ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/boss
echo furnished
exec sleep 1000000
`;

export async function sharedNodes(places: readonly TestbedNode[], login: string): Promise<SharedNodes> {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-shared-'));
  const file = (name: string) => join(directory, name);
  const started: { holder: ChildProcess; server: Server; sshds: Set<ChildProcess> }[] = [];
  for (const name of ['host', 'admin', 'slice']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(name)]);
  }
  mkdirSync(file('keys'));
  for (const admin of ['root', 'boss']) execFileSync('cp', [file('admin.pub'), join(file('keys'), admin)]);
  execFileSync('cp', [file('slice.pub'), join(file('keys'), login)]);
  // sshd reads them with the rights of the login.
  execFileSync('chmod', ['-R', 'a+rX', file('keys')]);
  chmodSync(directory, 0o755);
  writeFileSync(
    file('config'),
    `HostKey ${file('host')}
AuthorizedKeysFile ${file('keys')}/%u
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PidFile none
`,
  );

  async function start({ name, namespace, address }: TestbedNode): Promise<SharedNode> {
    const words = [`--net=/run/netns/${namespace}`, 'unshare', '--mount', 'sh', '-c', furnish, 'sh', login];
    const holder = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = (await once(holder.stdout!, 'data')) as [Buffer];
    if (said.toString() !== 'furnished\n') throw new Error(`node '${name}' could not be furnished: ${said}`);
    const inside = [`--net=/proc/${holder.pid}/ns/net`, `--mount=/proc/${holder.pid}/ns/mnt`];
    const sshds = new Set<ChildProcess>();
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      const sshd = spawn('nsenter', [...inside, commandPath('sshd')!, '-i', '-e', '-f', file('config')], {
        stdio: [socket, socket, 'ignore'],
      });
      sshds.add(sshd.once('exit', () => sshds.delete(sshd)));
      // The child has its own copy of the connection.
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    started.push({ holder, server, sshds });
    return {
      name,
      port: (server.address() as AddressInfo).port,
      address,
      asRoot: (command) =>
        execFileSync('nsenter', [...inside, 'sh', '-c', command], { encoding: 'utf8', stdio: 'pipe' }),
    };
  }

  async function close(): Promise<void> {
    for (const { holder, server, sshds } of started) {
      for (const sshd of sshds) sshd.kill();
      server.close();
      if (holder.exitCode === null && holder.signalCode === null) {
        holder.kill('SIGKILL');
        await once(holder, 'exit');
      }
    }
    rmSync(directory, { recursive: true });
  }

  try {
    const nodes = await Promise.all(places.map(start));
    const byName = new Map(nodes.map((node) => [node.name, node]));
    return { adminKey: file('admin'), sliceKey: file('slice'), nodes: byName, close };
  } catch (error) {
    await close();
    throw error;
  }
}
