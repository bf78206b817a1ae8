/** What a picture of a VN shows: where its routers, gateways and end hosts are on one placement, or on two. */
import { VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';
import type { Router } from '../model/router.ts';
import {
  declaredLatencyMs,
  describePlacement,
  isSamePlacement,
  type NamedPlacement,
  type Placement,
  type Slice,
  type VirtualNetwork,
} from '../model/slice.ts';
import type { Store } from '../store/store.ts';
import { choosePlacement, chooseVn } from './base/resolve.ts';
import { endsOf } from './base/unfinished.ts';
import type { LiveStatus } from './live.ts';

export interface VnGraph {
  readonly slice: string;
  readonly vn: string;
  /** One, or the old and the new one. */
  readonly sides: readonly GraphSide[];
  /** The unfinished migration between the two sides, in words; absent if there is none. */
  readonly migration?: string;
}

export interface GraphSide {
  readonly title: string;
  /** The nodes with a place of the VN, in the order of their routers, so that both sides begin alike. */
  readonly nodes: readonly GraphNode[];
  readonly links: readonly GraphLink[];
}

export interface GraphNode {
  readonly node: NodeName;
  readonly places: readonly GraphPlace[];
  /** What was found on the node, with `--live`; absent if it is as the database says, or was not asked. */
  readonly problem?: string;
}

export interface GraphPlace {
  readonly kind: 'router' | 'gateway' | 'end host';
  readonly name: string;
  /** The kind of a router, and the state of its daemon or machine with `--live`; absent for static routers. */
  readonly daemon?: string;
  /** Whether the router is on another node on the other side. */
  readonly moves: boolean;
}

export interface GraphLink {
  /** Ids of places: `router a`, `gateway G1`. */
  readonly from: string;
  readonly to: string;
  /** The declared one-way latency between their nodes in ms; absent on one node, and if the slice declares none. */
  readonly latencyMs?: number;
  /** The cost of a virtual link. */
  readonly cost?: number;
}

export function placeId({ kind, name }: Pick<GraphPlace, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

export interface GraphOptions {
  /** Names of at most two placements; empty: where the VN is, or will be. */
  readonly placements: readonly string[];
  readonly vn?: string | undefined;
  readonly live?: LiveStatus | undefined;
}

/**
 * Returns the graph of each VN: on the named placements; else both sides of an unfinished migration; else where it is
 * installed; else on `initial`, or its first placement. Asks no node. Throws VnmError `not-found`, `usage`.
 */
export function graphsOf(store: Store, slice: Slice, { placements, vn, live }: GraphOptions): VnGraph[] {
  if (placements.length > 2) {
    throw new VnmError('usage', `${placements.length} placements for one picture`, { hint: 'name one or two' });
  }
  const vns = vn === undefined ? slice.vns : [chooseVn(slice, vn)];
  return vns.map((one) => {
    const { sides, migration } = sidesOf(store, slice, one, placements);
    return {
      slice: slice.name,
      vn: one.name,
      sides: sides.map((side, index) => graphSide(slice, one, side, sides[1 - index], live)),
      ...(migration === undefined ? {} : { migration }),
    };
  });
}

interface Side {
  readonly title: string;
  readonly placement: Placement;
}

function sidesOf(
  store: Store,
  slice: Slice,
  vn: VirtualNetwork,
  named: readonly string[],
): { sides: readonly Side[]; migration?: string } {
  if (named.length > 0) {
    return { sides: named.map((name) => ({ title: `placement '${name}'`, placement: choosePlacement(vn, name) })) };
  }
  const instances = store.instances.list({ slice: slice.name, vn: vn.name }).map((record) => ({
    name: record.placementName,
    isActive: record.state === 'active',
    ...store.instances.plan(record.id),
  }));
  const active = instances.find(({ isActive }) => isActive);
  const titled = (word: string, side: NamedPlacement): Side => {
    const carries = active !== undefined && isSamePlacement(active.placement, side.placement);
    const named = side.name === null ? 'a placement without a name' : `placement ${describePlacement(side)}`;
    return { title: `${word}${named}${carries ? ', carries the traffic' : ''}`, placement: side.placement };
  };
  const [migration] = store.migrations.unfinished(slice.name, vn.name);
  if (migration?.fromNodes && migration.toNodes) {
    const [from, to] = [
      { name: migration.from, placement: new Map(Object.entries(migration.fromNodes)) },
      { name: migration.to, placement: new Map(Object.entries(migration.toNodes)) },
    ];
    const ends = endsOf(migration);
    const text = `the migration from ${ends.from} to ${ends.to} is unfinished (${migration.state})`;
    return { sides: [titled('old: ', from), titled('new: ', to)], migration: text };
  }
  if (active?.moving !== undefined) {
    const to = { name: null, placement: new Map([...active.placement, ...active.moving]) };
    const text = `the move of ${[...active.moving.keys()].map((router) => `router '${router}'`).join(', ')} is unfinished`;
    return { sides: [titled('old: ', active), titled('new: ', to)], migration: text };
  }
  const [first, second] = instances;
  if (first !== undefined && second !== undefined) {
    const [old, fresh] = second.isActive ? [second, first] : [first, second];
    return { sides: [titled('', old), titled('', fresh)] };
  }
  if (first !== undefined) return { sides: [titled('', first)] };
  const name = vn.placements.has('initial') ? 'initial' : [...vn.placements.keys()][0]!;
  const title = `placement '${name}', not installed`;
  return { sides: [{ title, placement: vn.placements.get(name)! }] };
}

function graphSide(
  slice: Slice,
  vn: VirtualNetwork,
  { title, placement }: Side,
  other: Side | undefined,
  live: LiveStatus | undefined,
): GraphSide {
  const nodeOf = new Map<string, NodeName>();
  const placesOn = new Map<NodeName, GraphPlace[]>();
  const put = (node: NodeName, place: GraphPlace) => {
    nodeOf.set(placeId(place), node);
    placesOn.set(node, [...(placesOn.get(node) ?? []), place]);
  };
  for (const router of vn.routers) {
    const { name } = router;
    const node = placement.get(name);
    if (node === undefined) continue;
    const moves = other !== undefined && other.placement.get(name) !== node;
    const daemon = daemonOf(vn.name, router, live);
    put(node, { kind: 'router', name, moves, ...(daemon === undefined ? {} : { daemon }) });
  }
  for (const { name, node } of vn.gateways) put(node, { kind: 'gateway', name, moves: false });
  for (const { name, node } of vn.endHosts) put(node, { kind: 'end host', name, moves: false });
  const link = (from: string, to: string, cost?: number): GraphLink[] => {
    const [a, b] = [nodeOf.get(from), nodeOf.get(to)];
    if (a === undefined || b === undefined) return [];
    const ms = declaredLatencyMs(slice.latency, a, b);
    return [{ from, to, ...(ms === 0 ? {} : { latencyMs: ms }), ...(cost === undefined ? {} : { cost }) }];
  };
  return {
    title,
    nodes: [...placesOn].map(([node, places]) => {
      const problem = problemOn(node, live);
      return { node, places, ...(problem === undefined ? {} : { problem }) };
    }),
    links: [
      ...vn.links.flatMap(({ from, to, cost }) => link(`router ${from}`, `router ${to}`, cost)),
      ...vn.gateways.flatMap(({ name, router }) => link(`gateway ${name}`, `router ${router}`)),
      ...vn.endHosts.flatMap(({ name, gateway }) => link(`end host ${name}`, `gateway ${gateway}`)),
    ],
  };
}

function daemonOf(vn: string, router: Router, live: LiveStatus | undefined): string | undefined {
  if (router.kind === 'static') return undefined;
  const running = router.kind === 'image' ? live?.machines : live?.daemons;
  const found = running?.find((one) => one.vn === vn && one.router === router.name);
  return found === undefined ? router.kind : `${router.kind} ${found.state}`;
}

function problemOn(node: NodeName, live: LiveStatus | undefined): string | undefined {
  if (live === undefined) return undefined;
  if (live.unreachable.some((failure) => failure.node === node)) return 'unreachable';
  if (live.failed.some((failure) => failure.node === node)) return 'failed';
  const count = live.differences.filter((difference) => difference.node === node).length;
  const obstructed = live.obstacles?.some((obstacle) => obstacle.node === node) === true;
  const parts = [
    ...(count === 0 ? [] : [`${count} ${count === 1 ? 'difference' : 'differences'}`]),
    ...(obstructed ? ['obstacles'] : []),
  ];
  return parts.length === 0 ? undefined : parts.join(', ');
}
