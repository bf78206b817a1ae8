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
export type Chooser = (group: Group) => GatewayOffsets | Promise<GatewayOffsets>;

/**
 * Chooses the offsets of all gateways. With one redirection per remote gateway, each pair of gateways has its own two
 * instants, so each pair is solved separately; otherwise each group of gateways that flows connect.
 */
export async function chooseOffsets(granularity: Granularity, all: Group, choose: Chooser): Promise<Offsets> {
  if (granularity === 'gateway') return { granularity, offsetsMs: await perGateway(all, choose) };
  const offsetsMs = new Map(all.gateways.map((gateway) => [gateway, new Map<string, number>()]));
  for (const [a, b] of pairs(all.gateways)) {
    const flows = all.flows.filter(
      ({ source, destination }) => (source === a && destination === b) || (source === b && destination === a),
    );
    const chosen = await perGateway({ gateways: [a, b], flows }, choose);
    offsetsMs.get(a)!.set(b, chosen.get(a)!);
    offsetsMs.get(b)!.set(a, chosen.get(b)!);
  }
  return { granularity, offsetsMs };
}

/** The instant when `gateway` redirects its traffic to `peer`, in ms after T. */
export function offsetMs(offsets: Offsets, gateway: GatewayName, peer: string): number {
  const found =
    offsets.granularity === 'gateway' ? offsets.offsetsMs.get(gateway) : offsets.offsetsMs.get(gateway)?.get(peer);
  if (found === undefined) throw new RangeError(`the schedule has no instant for gateway ${gateway} towards ${peer}`);
  return found;
}

/** All offsets of a schedule. */
export function allOffsetsMs(offsets: Offsets): number[] {
  return offsets.granularity === 'gateway'
    ? [...offsets.offsetsMs.values()]
    : [...offsets.offsetsMs.values()].flatMap((towards) => [...towards.values()]);
}

async function perGateway(all: Group, choose: Chooser): Promise<GatewayOffsets> {
  const offsets = new Map<string, number>();
  for (const group of connectedGroups(all)) {
    const chosen = await choose(group);
    const first = Math.min(...chosen.values());
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
  const crossing = flows.filter(crossesNetwork);
  const groupOf = new Map(gateways.map((gateway) => [gateway, [gateway]]));
  for (const { source, destination } of crossing) {
    const group = groupOf.get(source)!;
    const other = groupOf.get(destination)!;
    if (group === other) continue;
    group.push(...other);
    for (const gateway of other) groupOf.set(gateway, group);
  }
  return [...new Set(groupOf.values())].map((group) => ({
    gateways: group,
    flows: crossing.filter(({ source }) => group.includes(source)),
  }));
}

function pairs(names: readonly string[]): [string, string][] {
  return names.flatMap((a, index) => names.slice(index + 1).map((b): [string, string] => [a, b]));
}
