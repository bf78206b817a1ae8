/**
 * Routers with routing daemons, wired by agents as the controller has them wired: two nodes on a bridge, each with
 * routers of its own, so that links are of both kinds. The daemons are started here. Needs root.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Layout, NodeNames } from '../../src/controller/batches/batches.ts';
import { joinGateways } from '../../src/controller/batches/gateways.ts';
import { namespaceOf } from '../../src/controller/batches/operations.ts';
import { setUpRouters } from '../../src/controller/batches/routers.ts';
import type { DaemonKind } from '../../src/model/daemon.ts';
import type { UrpfMode } from '../../src/model/route.ts';
import { routerNames } from '../../src/model/router.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planDaemon } from '../../src/planning/daemons/index.ts';
import { type Instance, planInstance, routerNodes } from '../../src/planning/instance.ts';
import { planVn, type VnPlan } from '../../src/planning/vn-plan.ts';
import { checkDaemonConfig, protocolsIn } from '../../src/vsys/daemon-config.ts';
import { type AgentNode, startAgentNode } from './agent-node.ts';
import { uniqueName } from './privileges.ts';

/** Where Debian has FRR's daemons. */
const frrDirectory = '/usr/lib/frr';

/** The programs that are missing; undefined if none is. */
export function lackOfDaemons(): string | undefined {
  const needed = [
    '/usr/sbin/bird',
    '/usr/bin/vtysh',
    ...['zebra', 'ospfd', 'bgpd'].map((name) => `${frrDirectory}/${name}`),
  ];
  const missing = needed.filter((file) => !existsSync(file));
  return missing.length === 0 ? undefined : `they need bird2 and frr (${missing.join(', ')})`;
}

interface KernelEntry {
  readonly dst: string;
  readonly protocol: string;
}

export interface LivingRouters {
  readonly plan: VnPlan;
  readonly instance: Instance;
  /** The entries of a router's main table, as `ip` prints them. */
  routes(router: string): KernelEntry[];
  /** Runs `ip` in a router's namespace. */
  ip(router: string, words: string): string;
  /** Whether an address answers a router. */
  reaches(router: string, address: string): boolean;
  /** What the daemons have logged. */
  log(): string;
  remove(): Promise<void>;
}

/** Starts the first VN of a slice, which is called `test` and has number 1, on its placement `initial`. */
export async function startLivingRouters(slice: Slice, urpf: UrpfMode): Promise<LivingRouters> {
  const vn = slice.vns[0]!;
  const plan = planVn(slice, vn);
  const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
  const bridge = uniqueName('lrb');
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-living-'));
  // FRR's daemons and vtysh run as an account of their own.
  chmodSync(directory, 0o755);
  const nodes = new Map<string, AgentNode>();
  const children: ChildProcess[] = [];
  const lines: string[] = [];
  const names = namesOf(nodes, [...new Set([...routerNodes(instance), ...vn.gateways.map(({ node }) => node)])]);

  async function remove(): Promise<void> {
    for (const child of children) await end(child);
    for (const node of nodes.values()) await node.remove();
    execFileSync('ip', ['netns', 'del', bridge]);
    rmSync(directory, { recursive: true });
  }

  execFileSync('ip', ['netns', 'add', bridge]);
  try {
    await startNodes(bridge, names.all, nodes);
    const layout: Layout = { ...plan, names: names.of, mtu: 1400, urpf };
    for (const [node, operations] of setUpRouters(layout, instance)) {
      // The daemons are started below, with configurations of their own places.
      await nodes.get(node)!.apply(operations.filter(({ op }) => op !== 'daemon_up'));
    }
    for (const [node, operations] of joinGateways(layout, instance)) await nodes.get(node)!.apply(operations);
    for (const router of routerNames(vn)) {
      const { kind, config } = planDaemon(plan, instance, router);
      checkDaemonConfig(kind, config);
      const own = join(directory, router);
      mkdirSync(own);
      const namespace = namespaceOf(instance, router, names.of);
      for (const [command, ...words] of commandsOf(kind, own, config)) {
        const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, '--', command!, ...words], { stdio: 'pipe' });
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (chunk: Buffer) => lines.push(`${router}: ${chunk.toString()}`));
        if (command === '/usr/bin/vtysh') await endedWell(child, lines);
        else children.push(child);
        if (kind === 'frr' && command !== '/usr/bin/vtysh') await until(() => existsSync(socketOf(own, command!)));
      }
    }
  } catch (error) {
    await remove();
    throw new Error(`the routers did not start:\n${lines.join('')}`, { cause: error });
  }
  const inRouter = (router: string, words: string) =>
    execFileSync('ip', ['-n', namespaceOf(instance, router, names.of), ...words.split(' ')], { encoding: 'utf8' });
  return {
    plan,
    instance,
    routes: (router) => JSON.parse(inRouter(router, '-json -N route')) as KernelEntry[],
    ip: inRouter,
    reaches: (router, address) => {
      const namespace = `--net=/run/netns/${namespaceOf(instance, router, names.of)}`;
      return spawnSync('nsenter', [namespace, '--', 'ping', '-c', '1', '-W', '1', address]).status === 0;
    },
    log: () => lines.join(''),
    remove,
  };
}

/** The commands that start the daemons of a router, in their order. FRR's take their configuration from vtysh. */
function commandsOf(kind: DaemonKind, own: string, config: string): string[][] {
  if (kind === 'bird') {
    const file = join(own, 'bird.conf');
    writeFileSync(file, config);
    return [['/usr/sbin/bird', '-f', '-c', file, '-s', join(own, 'bird.ctl'), '-P', join(own, 'bird.pid')]];
  }
  writeFileSync(join(own, 'frr.conf'), config, { mode: 0o644 });
  writeFileSync(join(own, 'vtysh.conf'), '', { mode: 0o644 });
  execFileSync('chown', ['-R', 'frr:frr', own]);
  const daemons = ['zebra', 'staticd', ...protocolsIn('frr', config).map((protocol) => `${protocol}d`)];
  return [
    ...daemons.map((name) => [
      `${frrDirectory}/${name}`,
      ...['-u', 'frr', '-g', 'frr', '-z', join(own, 'z.api'), '-i', join(own, `${name}.pid`)],
      ...['--vty_socket', own, '-P', '0', '-f', '/dev/null', '--log', 'stdout'],
    ]),
    ['/usr/bin/vtysh', '-b', '--vty_socket', own, '--config_dir', own],
  ];
}

function socketOf(own: string, command: string): string {
  return join(own, `${command.slice(command.lastIndexOf('/') + 1)}.vty`);
}

async function startNodes(bridge: string, names: readonly string[], nodes: Map<string, AgentNode>): Promise<void> {
  const ip = (...words: string[]) => execFileSync('ip', words, { stdio: 'pipe' });
  ip('-n', bridge, 'link', 'add', 'bridge0', 'type', 'bridge');
  ip('-n', bridge, 'link', 'set', 'bridge0', 'up');
  for (const [index, name] of names.entries()) {
    const node = await startAgentNode();
    nodes.set(name, node);
    const { namespace } = node;
    ip('-n', bridge, 'link', 'add', `n${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip('-n', bridge, 'link', 'set', `n${index}`, 'master', 'bridge0', 'up');
    ip('-n', namespace, 'address', 'add', `192.0.2.${index + 1}/24`, 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  }
}

function namesOf(
  nodes: ReadonlyMap<string, AgentNode>,
  all: readonly string[],
): { all: readonly string[]; of: NodeNames } {
  return {
    all,
    of: {
      address: (node) => `192.0.2.${all.indexOf(node) + 1}`,
      port: () => 4789,
      tunnelKey: () => '00'.repeat(16),
      namespacePrefix: (node) => nodes.get(node)!.policy.namespacePrefix,
      resilient: () => true,
      gates: () => true,
    },
  };
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(20);
}

/** `vtysh` reports a line that a daemon does not understand as `% ...` or by its number. */
async function endedWell(child: ChildProcess, lines: readonly string[]): Promise<void> {
  await ended(child);
  const bad = lines.find((line) => /: (% |line \d+:)/.test(line));
  if (child.exitCode !== 0 || bad !== undefined) throw new Error(bad ?? `vtysh ended with ${child.exitCode}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once('close', resolve));
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await ended(child);
}
