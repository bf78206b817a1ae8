/** The nodes of a userspace testbed: one process with their SSH servers, and a relay if links have latency. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { VnmError } from '../model/errors.ts';
import { moduleCommand, startDaemon } from './daemon.ts';
import { type KeyPair, knownHostLine, makeKeyPair } from './keys.ts';
import { nodeDirectory, testbedFiles } from './layout.ts';
import { nodeEnvironment, writeNodeFiles } from './node.ts';
import { linkPlanOf, type PlannedNode, type TestbedPlan } from './plan.ts';
import type { TestbedNode } from './record.ts';
import type { RelayPlan } from './relay.ts';
import { runRelay } from './start-relay.ts';

const loopback = '127.0.0.1';

/** One node as the process of all SSH servers needs it. */
export interface ServedNode {
  readonly home: string;
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Where the agent of a slice on a node receives tunnel packets, and where others send them. */
interface TunnelPort {
  readonly position: number;
  readonly slice: string;
  readonly own: number;
}

export interface StartedNodes {
  readonly nodes: TestbedNode[];
  /** Lines of known_hosts. */
  readonly knownHosts: string;
}

/** Starts everything; resolves when the servers accept connections. Throws VnmError `failed`. */
export async function startUserspaceNodes(
  plan: TestbedPlan,
  directory: string,
  clientKey: KeyPair,
  signal: AbortSignal,
): Promise<StartedNodes> {
  const user = userInfo().username;
  const ports = await choosePorts(plan);
  const hostKeys = plan.nodes.map(() => makeKeyPair());
  const served = await Promise.all(
    plan.nodes.map(async (node, position): Promise<ServedNode> => {
      const home = nodeDirectory(directory, node.name);
      await writeNodeFiles(home, withPorts(node, ports, position), clientKey, hostKeys[position]!);
      return { home, user, env: nodeEnvironment(home, user) };
    }),
  );
  const reachedAt =
    plan.latency === 'relay' ? await startRelay(plan, directory, ports, signal) : ports.map(({ own }) => own);
  const sshPorts = await startServers(served, directory, signal);
  const { clientKey: key } = testbedFiles(directory);
  const nodes = plan.nodes.map(({ name }, position): TestbedNode => {
    const tunnelPorts = Object.fromEntries(
      ports.flatMap((port, index) => (port.position === position ? [[port.slice, reachedAt[index]!]] : [])),
    );
    return {
      name,
      host: loopback,
      port: sshPorts[position]!,
      user,
      key,
      address: loopback,
      namespace: '',
      tunnelPorts,
    };
  });
  const knownHosts = nodes.map(({ port }, position) => knownHostLine(port, hostKeys[position]!)).join('');
  return { nodes, knownHosts };
}

function withPorts(node: PlannedNode, ports: readonly TunnelPort[], position: number): PlannedNode {
  const policies = node.policies.map((policy) => {
    const { own } = ports.find((port) => port.position === position && port.slice === policy.slice)!;
    return { ...policy, userspace: { address: loopback, port: own } };
  });
  return { ...node, policies };
}

async function startServers(served: readonly ServedNode[], directory: string, signal: AbortSignal): Promise<number[]> {
  const files = testbedFiles(directory);
  await writeFile(files.servers, JSON.stringify(served), { mode: 0o600 });
  const command = moduleCommand('userspace-servers', [files.servers]);
  return portsOf(await startDaemon({ command, env: process.env, cwd: directory, log: files.serversLog }, signal));
}

async function startRelay(
  plan: TestbedPlan,
  directory: string,
  ports: readonly TunnelPort[],
  signal: AbortSignal,
): Promise<number[]> {
  const relayPlan: RelayPlan = {
    links: linkPlanOf(plan),
    ends: ports.map(({ own, position }) => ({
      node: position,
      underlay: { address: loopback, port: own },
      address: { address: loopback, port: 0 },
    })),
    senders: 'port',
  };
  return portsOf(await runRelay(relayPlan, directory, signal));
}

function portsOf(message: unknown): number[] {
  return (message as { readonly ports: number[] }).ports;
}

/** Below the ports that systems choose for sockets without one; the same for no two agents. */
const range = { first: 10_240, last: 32_000 };
const maxTries = 200;

/** Chooses a free UDP port for each slice on each node. */
async function choosePorts({ nodes }: TestbedPlan): Promise<TunnelPort[]> {
  const wanted = nodes.flatMap(({ policies }, position) => policies.map(({ slice }) => ({ position, slice })));
  const taken = new Set<number>();
  const ports: TunnelPort[] = [];
  for (const place of wanted) {
    const own = await freePort(taken);
    taken.add(own);
    ports.push({ ...place, own });
  }
  return ports;
}

async function freePort(taken: ReadonlySet<number>): Promise<number> {
  for (let tries = 0; tries < maxTries; tries += 1) {
    const port = range.first + Math.floor(Math.random() * (range.last - range.first));
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new VnmError('failed', `found no free UDP port from ${range.first} to ${range.last}`, {
    hint: 'take other testbeds down',
  });
}

async function isFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const isBound = once(socket, 'listening').then(
    () => true,
    () => false,
  );
  socket.bind(port, loopback);
  const free = await isBound;
  socket.close();
  return free;
}
