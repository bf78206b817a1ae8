/** One node of a testbed: its files and its SSH server. */
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { dirname } from 'node:path';
import { isPlainPath } from '../transport/node-survey.ts';
import { writablePolicy } from '../vsys/policy.ts';
import { moduleCommand, startDaemon } from './daemon.ts';
import { type KeyPair, makeKeyPair, writePrivateKey } from './keys.ts';
import { nodeDirectory, nodeFiles, testbedFiles } from './layout.ts';
import type { PlannedNode } from './plan.ts';
import type { ServerKind, TestbedNode } from './record.ts';
import { sshdConfig } from './ssh-openssh.ts';

export interface StartedNode {
  readonly node: TestbedNode;
  readonly hostKey: KeyPair;
}

/** Writes the node's files and starts its SSH server; resolves when the server accepts connections. */
export async function startNode(
  planned: PlannedNode,
  directory: string,
  server: ServerKind,
  clientKey: KeyPair,
  signal: AbortSignal,
): Promise<StartedNode> {
  const home = nodeDirectory(directory, planned.name);
  const hostKey = makeKeyPair();
  const env = nodeEnvironment(home, 'root');
  await writeNodeFiles(home, planned, clientKey, hostKey);
  await writeFile(nodeFiles(home).sshdConfig, sshdConfig(home, env));
  // The node's SSH address is on the machine's loopback, although the server itself runs in the node's namespace.
  const listener = createServer().listen(0, '127.0.0.1');
  try {
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const command = moduleCommand('ssh-server', [server, home]);
    const { namespace, name, address } = planned;
    const log = nodeFiles(home).log;
    await startDaemon({ namespace, command, env, cwd: home, log, descriptor: descriptorOf(listener) }, signal);
    const { clientKey: key } = testbedFiles(directory);
    const place = { name, host: '127.0.0.1', port, user: 'root', key, address } as const;
    return { node: { ...place, namespace, agentDirectory: env.PL_VNM_DIR }, hostKey };
  } finally {
    listener.close();
  }
}

/** The whole environment of commands on the node. */
export function nodeEnvironment(home: string, user: string) {
  const system = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const PATH = `${dirname(process.execPath)}:${system}`;
  return { HOME: home, PL_VNM_DIR: home, PATH, USER: user, LOGNAME: user, SHELL: '/bin/sh' };
}

export async function writeNodeFiles(
  home: string,
  planned: PlannedNode,
  clientKey: KeyPair,
  hostKey: KeyPair,
): Promise<void> {
  const files = nodeFiles(home);
  await mkdir(dirname(files.policy('')), { recursive: true });
  // A login's commands cannot name a path with a space in it; the runtime then gets another name.
  if (!isPlainPath(process.execPath)) {
    await mkdir(dirname(files.runtime), { recursive: true });
    await symlink(process.execPath, files.runtime);
  }
  await writePrivateKey(files.hostKey, hostKey);
  await writeFile(files.authorizedKeys, `${clientKey.publicKey}\n`);
  for (const policy of planned.policies) {
    await writeFile(files.policy(policy.slice), `${JSON.stringify(writablePolicy(policy), null, 2)}\n`);
  }
}

/** Node.js passes a listening socket to a child by its descriptor, but has no public name for that. */
function descriptorOf(listener: Server): number {
  return (listener as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}
