import {
  defaultSliceNumber,
  type LatencyMap,
  type Placement,
  type Slice,
  type SubstrateNode,
  type VirtualNetwork,
} from '../model/slice.ts';
import type { RawLatencyLink, RawNode, RawSlice, RawVn } from './schema.ts';

/** The slice of a file without faults. */
export function buildSlice(raw: RawSlice): Slice {
  const vns = raw.vns ?? (raw.vn && raw.placements ? [{ ...raw.vn, placements: raw.placements }] : []);
  return {
    name: raw.slice,
    number: raw.number ?? defaultSliceNumber(raw.slice),
    vnet: raw.vnet,
    nodes: toMap(raw.substrate.nodes, (name, node) => buildNode(name, node, raw.ssh ?? {})),
    latency: buildLatency(raw.substrate.latency ?? {}),
    ntp: raw.ntp ?? [],
    repair: raw.repair ?? true,
    vns: vns.map((vn) => buildVn(vn, vn.placements)),
  };
}

/** The slice's defaults are for nodes that the user reaches; a node on the local testbed has its own login. */
function buildNode(name: string, node: RawNode, defaults: Pick<RawNode, 'user' | 'port' | 'key'>): SubstrateNode {
  return { name, ...(node.host === undefined ? {} : defaults), ...node };
}

function buildLatency(raw: { default?: number; links?: readonly RawLatencyLink[] }): LatencyMap {
  const linksMs = new Map<string, Map<string, number>>();
  const set = (from: string, to: string, ms: number) => {
    linksMs.set(from, (linksMs.get(from) ?? new Map<string, number>()).set(to, ms));
  };
  for (const [from, to, ms, back] of raw.links ?? []) {
    set(from, to, ms);
    set(to, from, back ?? ms);
  }
  return { defaultMs: raw.default ?? 0, linksMs };
}

function buildVn(raw: RawVn, placements: Record<string, Record<string, string>>): VirtualNetwork {
  return {
    name: raw.name,
    routers: raw.routers,
    links: (raw.links ?? []).map(([from, to, cost]) => ({ from, to, cost: cost ?? 1 })),
    gateways: Object.entries(raw.gateways ?? {}).map(([name, gateway]) => ({ name, ...gateway })),
    endHosts: Object.entries(raw.endHosts ?? {}).map(([name, endHost]) => ({ name, ...endHost })),
    flows: (raw.flows ?? []).map(({ from, to, rate, priority, payload }) => ({
      from,
      to,
      rateBps: rate,
      priority: priority ?? 1,
      ...(payload === undefined ? {} : { payloadBytes: payload }),
    })),
    placements: toMap(placements, (_, routers): Placement => new Map(Object.entries(routers))),
  };
}

function toMap<V, T>(record: Record<string, V>, build: (name: string, value: V) => T): Map<string, T> {
  return new Map(Object.entries(record).map(([name, value]) => [name, build(name, value)]));
}
