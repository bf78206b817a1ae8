import type { GatewayName } from '../../model/names.ts';
import { crossesNetwork } from '../loss/flow-path.ts';
import type { FlowPath } from '../loss/types.ts';
import type { Granularity, Offsets } from './types.ts';

/** Gateways whose instants depend on each other, and the flows between them. */
export interface Group {
  readonly gateways: readonly GatewayName[];
  readonly flows: readonly FlowPath[];
}

/** Gateway -> ms after T. */
export type GatewayOffsets = ReadonlyMap<string, number>;

/** Chooses the instants of one group; only their differences matter. */
export type Chooser = (group: Group) => GatewayOffsets;

/**
 * Chooses the offsets of all gateways. With one redirection per remote gateway, each pair of gateways has its own two
 * instants, so each pair is solved separately; otherwise each group of gateways that flows connect.
 */
export function chooseOffsets(granularity: Granularity, { gateways, flows }: Group, choose: Chooser): Offsets {
  const losing = flows.filter((flow) => crossesNetwork(flow) && flow.isOldDown !== true);
  if (granularity === 'gateway') return { granularity, offsetsMs: perGateway({ gateways, flows: losing }, choose) };
  const offsetsMs = new Map(gateways.map((gateway) => [gateway, new Map<string, number>()]));
  for (const pair of pairsOf(losing)) {
    const chosen = perGateway(pair, choose);
    const [a, b] = pair.gateways as [string, string];
    offsetsMs.get(a)!.set(b, chosen.get(a)!);
    offsetsMs.get(b)!.set(a, chosen.get(b)!);
  }
  return { granularity, offsetsMs };
}

/** The instant when `gateway` redirects its traffic to `peer`, in ms after T. */
export function offsetMs(offsets: Offsets, gateway: GatewayName, peer: string): number {
  const found =
    offsets.granularity === 'gateway' ? offsets.offsetsMs.get(gateway) : towards(offsets.offsetsMs.get(gateway), peer);
  if (found === undefined) throw new RangeError(`the schedule has no instant for gateway ${gateway} towards ${peer}`);
  return found;
}

function towards(peers: ReadonlyMap<string, number> | undefined, peer: string): number | undefined {
  return peers === undefined ? undefined : (peers.get(peer) ?? 0);
}

/** The first and the last instant of a schedule, in ms after T. */
export function spanMs(offsets: Offsets): { firstMs: number; lastMs: number } {
  const isPerGateway = offsets.granularity === 'gateway';
  const maps = isPerGateway ? [offsets.offsetsMs] : offsets.offsetsMs.values();
  let [firstMs, lastMs] = isPerGateway ? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] : [0, 0];
  for (const instants of maps) {
    for (const at of instants.values()) [firstMs, lastMs] = [Math.min(firstMs, at), Math.max(lastMs, at)];
  }
  return { firstMs, lastMs };
}

function perGateway(all: Group, choose: Chooser): GatewayOffsets {
  const offsets = new Map<string, number>();
  for (const group of connectedGroups(all)) {
    const chosen = choose(group);
    const first = [...chosen.values()].reduce((least, ms) => Math.min(least, ms));
    for (const [gateway, ms] of chosen) offsets.set(gateway, toNanoseconds(ms - first));
  }
  return new Map(all.gateways.map((gateway) => [gateway, offsets.get(gateway)!]));
}

/** Rounds to ns: the noise of the solver and of adding fractions is smaller, and clocks are coarser. */
function toNanoseconds(ms: number): number {
  return Math.round(ms * 1e6) / 1e6;
}

/** The connected components of the flows; a gateway without flows is its own component. */
function connectedGroups({ gateways, flows }: Group): Group[] {
  const groupOf = new Map(gateways.map((gateway) => [gateway, [gateway]]));
  for (const { source, destination } of flows) {
    const [one, other] = [groupOf.get(source)!, groupOf.get(destination)!];
    if (one === other) continue;
    const [large, small] = one.length < other.length ? [other, one] : [one, other];
    for (const gateway of small) {
      large.push(gateway);
      groupOf.set(gateway, large);
    }
  }
  const flowsOf = Map.groupBy(flows, ({ source }) => groupOf.get(source)!);
  return [...new Set(groupOf.values())].map((group) => ({ gateways: group, flows: flowsOf.get(group) ?? [] }));
}

/** The pairs of gateways that flows connect, each with its flows. */
function pairsOf(flows: readonly FlowPath[]): Group[] {
  const byPair = Map.groupBy(flows, ({ source, destination }) => JSON.stringify([source, destination].sort()));
  return [...byPair].map(([pair, own]) => ({ gateways: JSON.parse(pair) as string[], flows: own }));
}
