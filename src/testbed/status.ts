/** Which parts of a local testbed are alive. */
import { connect } from 'node:net';
import { nodeDirectory, testbedFiles } from './layout.ts';
import { processesIn, testbedNamespaces } from './namespaces.ts';
import { underlayNamespace } from './plan.ts';
import { commandsBelow } from './processes.ts';
import type { Testbed, TestbedNode } from './record.ts';

export interface TestbedStatus {
  /** Whether everything exists and answers. */
  readonly alive: boolean;
  readonly nodes: readonly NodeStatus[];
  /** `none`: the testbed needs no relay. */
  readonly relay: 'alive' | 'dead' | 'none';
}

interface NodeStatus {
  readonly name: string;
  /** Whether its network namespace exists; absent on a userspace testbed. */
  readonly namespace?: boolean;
  /** Whether its SSH server accepts connections. */
  readonly server: boolean;
  /** Its processes, and its SSH server if that is one of them. */
  readonly processes: number;
}

export async function testbedStatus(testbed: Testbed): Promise<TestbedStatus> {
  if (testbed.dataplane === 'userspace') return userspaceStatus(testbed);
  const namespaces = await testbedNamespaces(testbed.id);
  const processes = await processesIn(namespaces);
  const nodes = await Promise.all(testbed.nodes.map((node) => nodeStatus(node, processes)));
  const relay = testbed.latency === 'none' ? 'none' : relayStatus(testbed, processes);
  const alive = relay !== 'dead' && nodes.every((node) => node.namespace && node.server);
  return { alive, nodes, relay };
}

async function userspaceStatus({ directory, nodes, latency }: Testbed): Promise<TestbedStatus> {
  const { relayPlan } = testbedFiles(directory);
  const commands = await commandsBelow(directory);
  const count = (isMeant: (word: string) => boolean) => commands.filter(({ words }) => words.some(isMeant)).length;
  const isRelayAlive = count((word) => word === relayPlan) > 0;
  const relay = latency === 'none' ? 'none' : isRelayAlive ? 'alive' : 'dead';
  const all = await Promise.all(
    nodes.map(async ({ name, port }): Promise<NodeStatus> => {
      const home = `${nodeDirectory(directory, name)}/`;
      return { name, server: await answers(port), processes: count((word) => word.startsWith(home)) };
    }),
  );
  return { alive: relay !== 'dead' && all.every(({ server }) => server), nodes: all, relay };
}

async function nodeStatus(node: TestbedNode, processes: ReadonlyMap<string, number[]>): Promise<NodeStatus> {
  const inside = processes.get(node.namespace);
  const server = inside !== undefined && inside.length > 0 && (await answers(node.port));
  return { name: node.name, namespace: inside !== undefined, server, processes: inside?.length ?? 0 };
}

/** Only the relay runs in the underlay's namespace. */
function relayStatus(testbed: Testbed, processes: ReadonlyMap<string, number[]>): 'alive' | 'dead' {
  return (processes.get(underlayNamespace(testbed.id))?.length ?? 0) > 0 ? 'alive' : 'dead';
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
