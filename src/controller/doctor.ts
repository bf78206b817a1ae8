import type { DaemonKind } from '../model/daemon.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';
import { isDaemonRouter, programOf } from '../model/router.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { tunnelKinds } from '../model/tunnel.ts';
import { type DescribedRoute, describeRoute } from '../transport/ssh-route.ts';
import { collisionHint, describeCollisions } from '../vsys/collision.ts';
import { isDaemonKind, routingDaemonKinds } from '../vsys/daemon.ts';
import type { Feature, NodeFacts } from '../vsys/messages.ts';
import type { NodeObstacle } from '../vsys/obstacle.ts';
import type { Context } from './base/context.ts';
import { controlPlaneWay } from './migration/control-planes/index.ts';
import { type ControlPlaneName, controlPlaneNames } from './migration/control-planes/names.ts';
import { hasFeature, withAgents } from './nodes/agents.ts';
import { type ClockReport, measureClocks, type OwnUtc, readOwnUtc, reportClock } from './nodes/clocks.ts';
import { obstaclesOn } from './nodes/obstacles.ts';
import { placesOf } from './nodes/places.ts';
import {
  endpointOf,
  type MachineIdentity,
  oneMachineHint,
  sameMachines,
  tooLittleRoom,
} from './nodes/room-on-nodes.ts';

/** What one node can do for the slice. */
export interface NodeReport {
  readonly node: NodeName;
  readonly reachable: boolean;
  /** Why it is not reachable, or what it lacks. */
  readonly problems: string[];
  /** How SSH reaches it; absent where the SSH configuration is faulty. */
  readonly way?: DescribedRoute;
  readonly agent?: { version: string; node: NodeName; pid: number };
  readonly kernel?: string;
  /** Those that matter for the node's roles in the slice; absent when the node is unreachable. */
  readonly features?: readonly Feature[];
  readonly clock?: ClockReport;
  /**
   * What on the node obstructs the slice without belonging to it. Obstacles that block packets are also in `problems`.
   */
  readonly obstacles?: readonly NodeObstacle[];
  /** In which ways a routing daemon can move to and from the node, by the kinds that it has. */
  readonly controlPlanes?: readonly MovableDaemon[];
  /** How late its timer starts armed actions. */
  readonly timerLag?: { p99Ms: number; maxMs: number };
}

export interface MovableDaemon {
  readonly kind: DaemonKind;
  readonly ways: readonly ControlPlaneName[];
  /** Why not in the others, each with its name. */
  readonly lacks: readonly string[];
}

export interface DoctorResult {
  readonly slice: string;
  readonly ok: boolean;
  readonly nodes: NodeReport[];
}

/** Without these a node cannot take part at all. */
const needed: readonly Feature['name'][] = [
  'root',
  tunnelKinds.vxlan.feature,
  tunnelKinds.udp.feature,
  'nexthop-groups',
];

/** The roles that need a feature. A feature that is not listed is needed on every node. */
const rolesThatNeed: Partial<Record<Feature['name'], readonly Role[]>> = {
  'nexthop-compat-off': ['gateways'],
  'resilient-groups': ['gateways'],
  'ifb-gate': ['gateways'],
  realtime: ['gateways'],
  'rp-filter': ['gateways', 'endHosts'],
  capture: ['routers'],
};

type Role = 'routers' | 'gateways' | 'endHosts';
const nodesWith: Readonly<Record<Role, (vn: VirtualNetwork) => NodeName[]>> = {
  routers: ({ placements }) => [...placements.values()].flatMap((placement) => [...placement.values()]),
  gateways: ({ gateways }) => gateways.map(({ node }) => node),
  endHosts: ({ endHosts }) => endHosts.map(({ node }) => node),
};

/**
 * The features that this node needs for its roles: for example, redirections happen only at gateways. Also routing
 * daemons that it has and does not need.
 */
export function featuresFor(slice: Slice, node: NodeName, features: readonly Feature[]): Feature[] {
  const isNeeded = ({ name, available }: Feature) => {
    if (name === 'openvswitch') return kindsOn(slice, node).has('switch');
    if (isDaemonKind(name)) return available || kindsOn(slice, node).has(name);
    // Only daemons of this kind move by checkpoints.
    if (name === 'criu') return kindsOn(slice, node).has('bird');
    if (name === 'machine') return kindsOn(slice, node).has('image');
    if (name === 'control-packets') return [...kindsOn(slice, node)].some(isDaemonKind);
    const roles = rolesThatNeed[name];
    return roles === undefined || slice.vns.some((vn) => roles.some((role) => nodesWith[role](vn).includes(node)));
  };
  return features.filter(isNeeded);
}

/** The kinds of the routers that are on the node in a placement. */
function kindsOn({ vns }: Slice, node: NodeName): Set<string> {
  const here = vns.flatMap(({ routers, placements }) =>
    routers.filter(({ name }) => [...placements.values()].some((placement) => placement.get(name) === node)),
  );
  return new Set(here.flatMap((router) => programOf(router) ?? []));
}

/** How the daemons that a node has can move, for a slice whose routers run some. */
export function movableDaemons({ vns }: Slice, facts: NodeFacts): MovableDaemon[] {
  if (vns.every(({ routers }) => !routers.some(isDaemonRouter))) return [];
  return routingDaemonKinds
    .filter((kind) => hasFeature(facts, kind))
    .map((kind) => {
      const ways = controlPlaneNames.map((name) => ({ name, lack: controlPlaneWay(name).lacks(facts, kind) }));
      return {
        kind,
        ways: ways.filter(({ lack }) => lack === undefined).map(({ name }) => name),
        lacks: ways.flatMap(({ name, lack }) => (lack === undefined ? [] : [`${name}: ${lack}`])),
      };
    });
}

const lagSamples = 50;

/** Examines every node of the slice separately, so that an unreachable one does not hide the others. */
export async function doctor(context: Context, slice: Slice): Promise<DoctorResult> {
  let own: Promise<OwnUtc> | undefined;
  const readOwn = () => {
    own ??= readOwnUtc(slice, context.signal);
    return own;
  };
  const machines: MachineIdentity[] = [];
  const looks = [...slice.nodes.keys()].map((node) => examine(context, slice, node, readOwn, machines));
  const nodes = withSameMachines(await Promise.all(looks), machines);
  const ok = nodes.every((node) => node.reachable && node.problems.length === 0);
  return { slice: slice.name, ok, nodes };
}

async function examine(
  context: Context,
  slice: Slice,
  node: NodeName,
  readOwn: () => Promise<OwnUtc>,
  machines: MachineIdentity[],
): Promise<NodeReport> {
  const way = await wayTo(context, slice, node);
  try {
    return await withAgents(context, slice, [node], async (agents) => {
      const { facts } = agents.get(node);
      const { agent, kernel, features: all, policy } = facts;
      machines.push({ node, process: agent.process, address: endpointOf(agents, node) });
      const features = featuresFor(slice, node, all);
      const { lagMs } = await agents.get(node).call('timer_lag', { samples: lagSamples });
      // Late, since connecting to the other nodes keeps this machine busy at first.
      const clock = (await measureClocks(agents, [node], readOwn)).get(node)!;
      const { collisions } = await agents.get(node).call('collisions', {});
      const obstacles = await obstaclesOn(context, agents, [node]);
      const movable = movableDaemons(slice, facts);
      const lacking = features.filter(
        ({ name, available }) => !available && (needed.includes(name) || isDaemonKind(name) || name === 'machine'),
      );
      return {
        node,
        reachable: true,
        ...way,
        problems: [
          ...lacking.map(({ name, detail }) => `lacks ${name}${detail === undefined ? '' : `: ${detail}`}`),
          ...(collisions.length === 0
            ? []
            : [`${describeCollisions(slice.name, policy.vnet, collisions)} (${collisionHint})`]),
          ...obstacles.filter(({ blocks }) => blocks).map(({ message, hint }) => `${message} (${hint})`),
          ...tooLittleRoom(slice, node, facts),
        ],
        obstacles,
        agent: { version: agent.version, node: agent.node, pid: agent.pid },
        kernel,
        features,
        ...(movable.length === 0 ? {} : { controlPlanes: movable }),
        clock: reportClock(clock),
        timerLag: { p99Ms: quantile(lagMs, 0.99), maxMs: Math.max(...lagMs) },
      };
    });
  } catch (error) {
    if (context.signal?.aborted === true) throw error;
    const hint = error instanceof VnmError && error.hint !== undefined ? ` (${error.hint})` : '';
    return { node, reachable: false, ...way, problems: [`${messageOf(error)}${hint}`] };
  }
}

/** Where there is no way, connecting says why. */
async function wayTo(context: Context, slice: Slice, node: NodeName): Promise<Pick<NodeReport, 'way'>> {
  try {
    return { way: await describeRoute(placesOf(context, slice, [node])[0]!.target) };
  } catch {
    return {};
  }
}

/** Adds to the reports which nodes are the same machine, in the order of the nodes, whichever answered first. */
function withSameMachines(reports: readonly NodeReport[], machines: readonly MachineIdentity[]): NodeReport[] {
  const same = sameMachines(reports.flatMap(({ node }) => machines.filter((machine) => machine.node === node)));
  return reports.map((report) => {
    const texts = same.filter(({ node }) => node === report.node).map(({ text }) => `${text} (${oneMachineHint})`);
    return { ...report, problems: [...report.problems, ...texts] };
  });
}

/** Interpolates between the two nearest values. */
function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = fraction * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return low + (high - low) * (place - Math.floor(place));
}
