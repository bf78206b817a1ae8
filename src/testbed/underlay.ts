/** The network that joins the nodes: a bridge in a namespace of its own, with a cable to each node. */
import { VnmError } from '../model/errors.ts';
import { namespacePath } from './namespaces.ts';
import { type PlannedNode, type TestbedPlan, underlayNamespace } from './plan.ts';
import type { Testbed } from './record.ts';
import { run } from './run.ts';

/** A 1500-byte packet and its VXLAN encapsulation (50 bytes) fit. */
const underlayMtu = 1600;
const bridgeAddress = '198.18.0.1';
const bridgeMac = '02:70:74:00:00:01';

/**
 * Runs in each namespace before its interfaces come up; its standard input has the `ip` commands. A new namespace
 * inherits the machine's settings, which may check the reverse path or let IPv6 send packets of its own.
 */
const configureScript = `set -e
cd /proc/sys/net
echo 0 > ipv4/nexthop_compat_mode
for file in ipv4/conf/*/rp_filter; do echo 0 > "$file"; done
if [ -d ipv6 ]; then
  echo 1 > ipv6/conf/all/disable_ipv6
  echo 1 > ipv6/conf/default/disable_ipv6
fi
exec ip -batch -
`;

/** Makes the namespaces and the cables between them. */
export async function makeUnderlay(plan: TestbedPlan): Promise<void> {
  const underlay = underlayNamespace(plan.id);
  const namespaces = [underlay, ...plan.nodes.map((node) => node.namespace)];
  await run('ip', ['-batch', '-'], lines(namespaces.map((name) => `netns add ${name}`)));
  await configure(underlay, underlayCommands(plan));
  await Promise.all(plan.nodes.map((node) => configure(node.namespace, nodeCommands(node))));
}

/** Cuts a node's cable in the underlay; the node's own interface stays up, as with a fault in the network. */
export async function cutNode(testbed: Testbed, node: string): Promise<void> {
  await run('ip', ['-n', underlayNamespace(testbed.id), 'link', 'set', cableOf(testbed, node), 'down']);
}

export async function healNode(testbed: Testbed, node: string): Promise<void> {
  await run('ip', ['-n', underlayNamespace(testbed.id), 'link', 'set', cableOf(testbed, node), 'up']);
}

/** Makes a node's cable drop larger packets from the node silently; a veth leaves room for four more bytes. */
export async function narrowNode(testbed: Testbed, node: string, mtu: number = underlayMtu): Promise<void> {
  await run('ip', ['-n', underlayNamespace(testbed.id), 'link', 'set', cableOf(testbed, node), 'mtu', String(mtu)]);
}

function underlayCommands(plan: TestbedPlan): string[] {
  return [
    'link set lo up',
    // Its own MAC address, so that the address does not change with the cables.
    `link add br0 address ${bridgeMac} mtu ${underlayMtu} type bridge mcast_snooping 0`,
    `address add ${bridgeAddress}/16 dev br0`,
    'link set br0 up',
    ...plan.nodes.flatMap((node, index) => [
      `link add ${cable(index)} mtu ${underlayMtu} type veth peer name eth0 mtu ${underlayMtu} netns ${node.namespace}`,
      `link set ${cable(index)} master br0 up`,
      ...(plan.latency === 'relay' ? [`address add ${node.address}/32 dev lo`] : []),
    ]),
  ];
}

function nodeCommands(node: PlannedNode): string[] {
  return [
    'link set lo up',
    `address add ${node.underlay}/16 dev eth0`,
    // The relay's sockets must see the packets that a wire would carry, not the kernel's 64 kB bundles of them.
    'link set eth0 gso_max_segs 1',
    'link set eth0 up',
    `route add 198.19.0.0/16 via ${bridgeAddress}`,
  ];
}

async function configure(namespace: string, commands: readonly string[]): Promise<void> {
  const net = `--net=${namespacePath(namespace)}`;
  await run('nsenter', [net, '--', '/bin/sh', '-c', configureScript], lines(commands));
}

/** The underlay's end of the cable to the node at this position. */
function cable(index: number): string {
  return `node${index}`;
}

function cableOf(testbed: Testbed, name: string): string {
  const index = testbed.nodes.findIndex((node) => node.name === name);
  if (index < 0) throw new VnmError('not-found', `testbed '${testbed.id}' has no node '${name}'`);
  return cable(index);
}

function lines(commands: readonly string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}
