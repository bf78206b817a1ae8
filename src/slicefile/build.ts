import { type Bgp, type BgpNeighbour, defaultDeadS, defaultHelloS, type Routing } from '../model/daemon.ts';
import { numbersNeeded } from '../model/ids.ts';
import { defaultConsole, defaultMemoryMib, type ImageConfig } from '../model/machine.ts';
import { defaultRouterKind, type Router } from '../model/router.ts';
import {
  defaultSliceNumber,
  type LatencyMap,
  type Placement,
  type Slice,
  type SubstrateNode,
  type VirtualNetwork,
} from '../model/slice.ts';
import type { SshWay } from '../model/ssh-way.ts';
import type { ImageFile } from './images.ts';
import type { RawBgp, RawLatencyLink, RawNode, RawRouter, RawSlice, RawVn, RawWay } from './schema.ts';

/** What the files contain that a slice file names, by the name there. */
export interface NamedFiles {
  readonly texts: ReadonlyMap<string, string>;
  readonly images: ReadonlyMap<string, ImageFile>;
}

/** Builds the slice of a file that has no faults. */
export function buildSlice(raw: RawSlice, files: NamedFiles): Slice {
  const rawVns = raw.vns ?? (raw.vn && raw.placements ? [{ ...raw.vn, placements: raw.placements }] : []);
  const vns = rawVns.map((vn) => buildVn(vn, vn.placements, files));
  return {
    name: raw.slice,
    number: raw.number ?? defaultSliceNumber(raw.slice, numbersNeeded(vns)),
    vnet: raw.vnet,
    nodes: toMap(raw.substrate.nodes, (name, node) => buildNode(name, node, raw.ssh ?? {}, raw.dataplane)),
    latency: buildLatency(raw.substrate.latency ?? {}),
    ntp: raw.ntp ?? [],
    repair: raw.repair ?? true,
    vns,
  };
}

/** Applies the slice's login defaults, but not to a node on the local testbed, which has its own login. */
function buildNode(
  name: string,
  node: RawNode,
  defaults: Pick<RawNode, 'user' | 'port' | 'key' | 'patience'> & RawWay,
  slicePlane: RawNode['dataplane'],
): SubstrateNode {
  const { patience, config, transport, jump, ...login } = defaults;
  const { dataplane = node.host === undefined ? undefined : slicePlane, ssh: ownWay, ...own } = node;
  const way = node.host === undefined ? {} : buildWay({ config, transport, jump, ...ownWay });
  return {
    name,
    ...(patience === undefined ? {} : { patience }),
    ...(node.host === undefined ? {} : login),
    ...own,
    ...(dataplane === 'userspace' ? { dataplane } : {}),
    ...(Object.keys(way).length === 0 ? {} : { ssh: way }),
  };
}

function buildWay({ config, transport, jump }: { [K in keyof RawWay]: RawWay[K] | undefined }): SshWay {
  return {
    ...(config === undefined ? {} : { config }),
    ...(transport === 'openssh' ? { transport } : {}),
    ...(jump === undefined ? {} : { jump: jump === 'none' ? [] : jump }),
  };
}

/** Builds the latencies of a file that has no faults. */
export function buildLatency(raw: { default?: number; links?: readonly RawLatencyLink[] }): LatencyMap {
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

function buildVn(raw: RawVn, placements: Record<string, Record<string, string>>, files: NamedFiles): VirtualNetwork {
  return {
    name: raw.name,
    routers: raw.routers.map((router) => buildRouter(router, files)),
    links: (raw.links ?? []).map(([from, to, cost]) => ({ from, to, cost: cost ?? 1 })),
    gateways: Object.entries(raw.gateways ?? {}).map(([name, gateway]) => ({ name, ...gateway })),
    endHosts: Object.entries(raw.endHosts ?? {}).map(buildEndHost),
    flows: (raw.flows ?? []).map(({ from, to, rate, priority, payload }) => ({
      from,
      to,
      rateBps: rate,
      priority: priority ?? 1,
      ...(payload === undefined ? {} : { payloadBytes: payload }),
    })),
    placements: toMap(placements, (_, routers): Placement => new Map(Object.entries(routers))),
    ...(raw.mtu === undefined ? {} : { mtu: raw.mtu }),
    ...(raw.routing === undefined ? {} : { routing: buildRouting(raw.routing) }),
  };
}

function buildEndHost([name, { forward = [], ...endHost }]: [string, NonNullable<RawVn['endHosts']>[string]]) {
  const forwards = forward.map(({ port, to, toPort }) => ({ port, to, toPort: toPort ?? port }));
  return { name, ...endHost, ...(forwards.length === 0 ? {} : { forwards }) };
}

function buildRouting({ protocol, hello, dead }: NonNullable<RawVn['routing']>): Routing {
  return { protocol, helloS: hello ?? defaultHelloS, deadS: dead ?? defaultDeadS };
}

function buildRouter(raw: RawRouter, { texts, images }: NamedFiles): Router {
  const map = typeof raw === 'string' ? { name: raw } : raw;
  const { name, kind = defaultRouterKind, config: file, bgp } = map;
  if (kind === 'static' || kind === 'switch') return { name, kind, config: {} };
  if (kind === 'image') return { name, kind, config: buildImage(map, images) };
  const text = file === undefined ? undefined : texts.get(file)!;
  const config = { ...(text === undefined ? {} : { text }), ...(bgp === undefined ? {} : { bgp: buildBgp(bgp) }) };
  return { name, kind, config };
}

function buildImage(
  { image, memory = defaultMemoryMib, console = defaultConsole, userData }: Exclude<RawRouter, string>,
  images: NamedFiles['images'],
): ImageConfig {
  const own = userData === undefined ? {} : { userData };
  return { ...images.get(image!)!, memoryMib: memory, console, ...own };
}

function buildBgp({ as, neighbours = [] }: RawBgp): Bgp {
  return {
    as,
    neighbours: neighbours.map(({ router, address, as: peerAs }): BgpNeighbour => {
      return router === undefined ? { address: address!, as: peerAs! } : { router };
    }),
  };
}

function toMap<V, T>(record: Record<string, V>, build: (name: string, value: V) => T): Map<string, T> {
  return new Map(Object.entries(record).map(([name, value]) => [name, build(name, value)]));
}
