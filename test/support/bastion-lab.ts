/**
 * A lab as testbeds have them: nodes whose management addresses are IPv6 only, behind a bastion that allows nothing but
 * forwarding, and an IPv4 network between the nodes for tunnels. All of it is in network namespaces, also the
 * controller, which only reaches the bastion. Needs root, and OpenSSH.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseSlice } from '../../src/slicefile/index.ts';
import { makeDirectory } from '../../src/testbed/directory.ts';
import { testbedDown } from '../../src/testbed/down.ts';
import { makeKeyPair, writePrivateKey } from '../../src/testbed/keys.ts';
import { nodeDirectory, nodeFiles } from '../../src/testbed/layout.ts';
import { namespacePath } from '../../src/testbed/namespaces.ts';
import { nodeEnvironment, writeNodeFiles } from '../../src/testbed/node.ts';
import { planTestbed } from '../../src/testbed/plan.ts';
import { sshdConfig } from '../../src/testbed/ssh-openssh.ts';
import { makeUnderlay } from '../../src/testbed/underlay.ts';
import { builtProgram } from './program.ts';
import { startSshAgent } from './ssh-agent.ts';
import { sshdPath } from './sshd.ts';

/** The bastion's name in the users' SSH configuration. */
const bastionName = 'bastion.lab';
const bastionAddress = '10.99.0.1';
const outerAddress = '10.99.1.1';
/** Of the bastion behind the outer jump host, which the controller does not reach. */
const innerAddress = '10.99.2.1';
const passphrase = 'of the bastion';

/** Of a slice that is made by `import`. */
export const importedSlice = { name: 'campus', vnet: '10.81.0.0/16' };

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface BastionLab {
  /** Its own directory, for files of the tests. */
  readonly directory: string;
  readonly nodes: readonly string[];
  /** An SSH configuration as testbeds hand it out, which switches the check of host keys off. */
  readonly config: string;
  /** The private key files: the nodes accept one, the bastion the other, which is encrypted and in an ssh agent. */
  readonly nodeKey: string;
  readonly bastionKey: string;
  readonly addresses: { readonly bastion: string; readonly outer: string; readonly inner: string };
  /** The management address of a node, its link-local one, and its address for tunnels. */
  addressesOf(node: string): { global: string; linkLocal: string; tunnel: string };
  /** Writes a slice file with the lab's VN, `ssh` of the slice, and a host for each node; returns its path. */
  writeSlice(name: string, ssh: object, hostOf?: (node: string) => string): string;
  /** Runs the program in the controller's namespace, with a database in the directory. */
  run(database: string, ...words: readonly string[]): Promise<Finished>;
  /** TCP connections that the bastion has accepted so far. */
  connections(): number;
  /** Lets the controller reach the nodes without the bastion, too. */
  connectDirectly(): void;
  remove(): Promise<void>;
}

/** `count`: of nodes, at least 16. The VN has a quarter of the nodes as routers, and moves to the next quarter. */
export async function bastionLab(count: number): Promise<BastionLab> {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-lab-'));
  const id = `b${Math.random().toString(36).slice(2, 6).padEnd(4, '0')}`;
  const bed = { id, directory: join(directory, 'nodes') };
  const nodes = Array.from({ length: count }, (_, index) => `n${String(index + 1).padStart(2, '0')}`);
  // The nodes also take the slice of users who import them.
  const slices = ['lab', importedSlice.name].map((slice) =>
    parseSlice(
      sliceText(nodes, () => ({}), { slice }),
      `${slice}.yaml`,
    ),
  );
  const plan = planTestbed(slices, id, 'openssh');
  const tunnels = new Map(plan.nodes.map(({ name, underlay }) => [name, underlay]));
  const numberOf = (node: string) => (nodes.indexOf(node) + 16).toString(16);
  const addressesOf = (node: string) => ({
    ...{ global: `2001:db8:0:1::${numberOf(node)}`, linkLocal: `fe80::${numberOf(node)}` },
    tunnel: tunnels.get(node)!,
  });
  const namespaceOf = (name: string) => `pt${id}-${name}`;
  const own = { bastion: namespaceOf('bastion'), controller: namespaceOf('controller'), outer: namespaceOf('outer') };
  const file = (name: string) => join(directory, name);
  const bastionLog = file('bastion.log');
  let agent: Awaited<ReturnType<typeof startSshAgent>> | undefined;

  async function remove(): Promise<void> {
    await agent?.stop();
    await testbedDown(bed);
    rmSync(directory, { recursive: true });
  }

  try {
    await makeDirectory(id, bed.directory);
    await makeUnderlay(plan);
    makeManagement(own, nodes, namespaceOf, addressesOf);
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    mkdirSync(file('home'));

    const clientKey = makeKeyPair();
    await writePrivateKey(file('node_key'), clientKey);
    for (const planned of plan.nodes) {
      const home = nodeDirectory(bed.directory, planned.name);
      await writeNodeFiles(home, planned, clientKey, makeKeyPair());
      const usual = sshdConfig(home, nodeEnvironment(home, 'root'));
      writeFileSync(nodeFiles(home).sshdConfig, `AddressFamily inet6\nListenAddress ::\n${usual}`);
    }
    await Promise.all(
      plan.nodes.map(({ name, namespace }) => {
        const files = nodeFiles(nodeDirectory(bed.directory, name));
        return startSshd(namespace, files.sshdConfig, files.log);
      }),
    );

    for (const [name, words] of [
      ['bastion_key', ['-N', passphrase]],
      ['bastion_host', ['-N', '']],
    ] as const) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-f', file(name), ...words]);
    }
    agent = await startSshAgent(directory, passphrase, [file('bastion_key')]);
    // MaxStartups is the default: 10:30:100.
    const only = ['MaxSessions 0', 'PermitTTY no', 'X11Forwarding no', 'AllowTcpForwarding local', 'LogLevel VERBOSE'];
    const login = ['StrictModes no', 'UsePAM no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no'];
    const keys = [`HostKey ${file('bastion_host')}`, `AuthorizedKeysFile ${file('bastion_key.pub')}`, 'PidFile none'];
    writeFileSync(file('bastion_config'), [...only, ...login, ...keys, ''].join('\n'));
    await startSshd(own.bastion, file('bastion_config'), bastionLog);
    await startSshd(own.outer, file('bastion_config'), file('outer.log'));

    writeFileSync(
      file('ssh_config'),
      `UserKnownHostsFile /dev/null
StrictHostKeyChecking no
ServerAliveInterval 120

Host ${bastionName}
  HostName ${bastionAddress}
  User root
  ForwardAgent yes
  IdentityFile ${file('bastion_key')}
  IdentitiesOnly yes

Host * !${bastionName}
  ProxyJump root@${bastionName}:22
`,
    );
  } catch (error) {
    await remove();
    throw error;
  }

  const environment = {
    ...process.env,
    HOME: file('home'),
    XDG_STATE_HOME: file('state'),
    SSH_AUTH_SOCK: agent.socket,
    NODE_COMPILE_CACHE: file('compiled'),
  };
  return {
    directory,
    nodes,
    addressesOf,
    remove,
    ...{ config: file('ssh_config'), nodeKey: file('node_key'), bastionKey: file('bastion_key') },
    addresses: { bastion: bastionAddress, outer: outerAddress, inner: innerAddress },
    connections: () => [...readFileSync(bastionLog, 'utf8').matchAll(/^Connection from /gm)].length,
    connectDirectly: () => void ip(own.controller, ['address add 2001:db8:0:1::2/64 dev mgmt0 nodad']),
    writeSlice: (name, ssh, hostOf = (node) => addressesOf(node).global) => {
      const nodeOf = (node: string) => ({ host: hostOf(node), address: addressesOf(node).tunnel });
      const path = file(`${name}.yaml`);
      writeFileSync(path, sliceText(nodes, nodeOf, { ssh: { user: 'root', key: file('node_key'), ...ssh } }));
      return path;
    },
    run: async (database, ...words) => {
      const startMs = performance.now();
      const program = [process.execPath, builtProgram(), '--db', file(database), '--json', ...words];
      const child = spawn('nsenter', [`--net=${namespacePath(own.controller)}`, ...program], {
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
      });
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, stdout, stderr, ms: performance.now() - startMs };
    },
  };
}

/** The lab's slice, as JSON, which is YAML: a ring of routers, and three gateways with an end host each. */
function sliceText(
  nodes: readonly string[],
  nodeOf: (node: string) => object,
  { slice = 'lab', ssh = {} }: { slice?: string; ssh?: object } = {},
): string {
  const size = Math.floor(nodes.length / 4);
  const ring = Array.from({ length: size }, (_, index) => index);
  const edges = [0, 1, 2];
  const named = <T>(prefix: string, value: (index: number) => T) =>
    Object.fromEntries(edges.map((index) => [`${prefix}${index}`, value(index)]));
  const place = (first: number) => Object.fromEntries(ring.map((index) => [`r${index}`, nodes[first + index]]));
  return JSON.stringify({
    slice,
    vnet: slice === 'lab' ? '10.80.0.0/16' : importedSlice.vnet,
    ssh,
    substrate: { nodes: Object.fromEntries(nodes.map((node) => [node, nodeOf(node)])) },
    vn: {
      name: 'lab',
      routers: ring.map((index) => `r${index}`),
      links: ring.map((index) => [`r${index}`, `r${(index + 1) % size}`]),
      gateways: named('g', (index) => ({
        node: nodes[2 * size + index],
        router: `r${Math.floor((index * size) / 3)}`,
      })),
      endHosts: named('e', (index) => ({ node: nodes[2 * size + 3 + index], gateway: `g${index}` })),
      flows: edges.map((index) => ({ from: `e${index}`, to: `e${(index + 1) % 3}`, rate: '1Mbps' })),
    },
    placements: { initial: place(0), final: place(size) },
  });
}

/** The networks of the controller, the jump hosts and the nodes' management interfaces. */
function makeManagement(
  own: { bastion: string; controller: string; outer: string },
  nodes: readonly string[],
  namespaceOf: (node: string) => string,
  addressesOf: BastionLab['addressesOf'],
): void {
  for (const name of Object.values(own)) execFileSync('ip', ['netns', 'add', name]);
  const cable = (a: string, nameA: string, b: string, nameB: string) =>
    `link add ${nameA} netns ${a} type veth peer name ${nameB} netns ${b}`;
  const cables = [
    cable(own.controller, 'up0', own.bastion, 'down0'),
    cable(own.controller, 'up1', own.outer, 'down0'),
    cable(own.outer, 'up0', own.bastion, 'down1'),
    cable(own.controller, 'mgmt0', own.bastion, 'controller'),
    ...nodes.map((node) => cable(namespaceOf(node), 'mgmt0', own.bastion, `to-${node}`)),
  ];
  execFileSync('ip', ['-batch', '-'], { input: `${cables.join('\n')}\n` });
  for (const name of [own.bastion, own.controller, own.outer, ...nodes.map(namespaceOf)]) allowIPv6(name);
  ip(own.controller, [
    ...['link set lo up', 'link set up0 up', 'link set up1 up', 'link set mgmt0 up'],
    ...['address add 10.99.0.2/30 dev up0', 'address add 10.99.1.2/30 dev up1'],
  ]);
  ip(own.outer, [
    ...['link set lo up', 'link set down0 up', 'link set up0 up'],
    ...[`address add ${outerAddress}/30 dev down0`, 'address add 10.99.2.2/30 dev up0'],
  ]);
  ip(own.bastion, [
    ...['link add br0 type bridge mcast_snooping 0', 'link set lo up', 'link set br0 up'],
    ...['link set down0 up', 'link set down1 up', 'link set controller master br0 up'],
    ...[`address add ${bastionAddress}/30 dev down0`, `address add ${innerAddress}/30 dev down1`],
    'address add 2001:db8:0:1::1/64 dev br0 nodad',
    ...nodes.map((node) => `link set to-${node} master br0 up`),
  ]);
  for (const node of nodes) {
    const { global, linkLocal } = addressesOf(node);
    ip(namespaceOf(node), [
      'link set mgmt0 up',
      ...[global, linkLocal].map((address) => `address add ${address}/64 dev mgmt0 nodad`),
    ]);
  }
}

function allowIPv6(namespace: string): void {
  const script =
    'for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do case $file in */eth0/*) ;; *) echo 0 >"$file";; esac; done';
  execFileSync('nsenter', [`--net=${namespacePath(namespace)}`, 'sh', '-c', script]);
}

function ip(namespace: string, commands: readonly string[]): void {
  execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: `${commands.join('\n')}\n` });
}

/** The testbed's end ends it, too, by its namespace. */
async function startSshd(namespace: string, config: string, log: string): Promise<void> {
  const words = [`--net=${namespacePath(namespace)}`, sshdPath!, '-D', '-E', log, '-f', config];
  const child = spawn('nsenter', words, { stdio: 'ignore', detached: true });
  child.unref();
  for (let look = 0; look < 3000; look += 1) {
    await sleep(10);
    if (readText(log).includes('Server listening')) return;
    if (child.exitCode !== null) break;
  }
  throw new Error(`sshd did not start: ${readText(log)}`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
