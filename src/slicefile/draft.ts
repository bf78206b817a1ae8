/**
 * The readable parts of a slice file that may have faults, with their paths. They let one run find all faults, so that
 * a wrong rate does not hide an unknown end host.
 */
import type { Prefix } from '../model/address.ts';
import { defaultDeadS, defaultHelloS } from '../model/daemon.ts';
import { type Dataplane, dataplanes } from '../model/dataplane.ts';
import { defaultRouterKind, isRouterKind, type RouterKind } from '../model/router.ts';
import type { VnCounts } from '../model/slice.ts';
import { DraftReader, type Reference, type Section } from './draft-reader.ts';
import type { Problem } from './fault.ts';
import { isMap, type Path } from './path.ts';
import { forwardPorts, toPorts, vnetSchema } from './schema.ts';

export interface Draft {
  /** Undefined if it is left out, or no number. */
  readonly number: number | undefined;
  readonly vnet: Prefix | undefined;
  /** Whether the file allows the subnet to be in public address space. */
  readonly isPublic: boolean;
  readonly ntp: Section<Reference>;
  readonly nodes: Section<DraftNode>;
  readonly latencyLinks: Section<DraftPair>;
  readonly vns: readonly DraftVn[];
}

/** The parts of VNs that names, ids and addresses depend on. */
export function countsOf(vns: readonly DraftVn[]): VnCounts[] {
  return vns.map(({ links, gateways, endHosts }) => ({
    links: links.entries,
    gateways: gateways.entries,
    endHosts: endHosts.entries,
  }));
}

export interface DraftNode extends Named {
  readonly hasHost: boolean;
  readonly host: Reference | undefined;
  readonly address: Reference | undefined;
  /** The node's port, or the slice's default. */
  readonly port: number;
  /** Whether it has keys of its own for how SSH reaches it. */
  readonly hasWay: boolean;
  /** The node's jump hosts, or the slice's, as the file has them. */
  readonly jump: unknown;
  /** The node's data plane, or the slice's; undefined on the local testbed if the node has none. */
  readonly dataplane: Dataplane | undefined;
}

export interface DraftVn {
  readonly path: Path;
  /** Empty if the file has none. */
  readonly name: string;
  readonly routers: Section<Reference>;
  /** The routers, with what their routing daemons need. */
  readonly daemons: Section<DraftRouter>;
  readonly routing: DraftRouting | undefined;
  readonly links: Section<DraftLink>;
  readonly gateways: Section<DraftGateway>;
  readonly endHosts: Section<DraftEndHost>;
  readonly flows: Section<DraftPair>;
  readonly placements: Section<DraftPlacement>;
}

/** A router; its path is that of its name, or of its map. */
export interface DraftRouter extends Named {
  /** Undefined if it is none of the known kinds. */
  readonly kind: RouterKind | undefined;
  /** The name of its own configuration file. */
  readonly config: Reference | undefined;
  readonly bgp: DraftBgp | undefined;
  /** The file of its image. */
  readonly image: Reference | undefined;
  /** The keys for virtual machines that it has. */
  readonly machineKeys: readonly string[];
}

const machineKeys = ['image', 'memory', 'console', 'userData'] as const;

export interface DraftBgp {
  readonly path: Path;
  readonly neighbours: Section<DraftNeighbour>;
}

export interface DraftNeighbour {
  readonly path: Path;
  readonly router: Reference | undefined;
  readonly address: Reference | undefined;
  readonly hasAs: boolean;
}

interface DraftRouting {
  readonly path: Path;
  /** In seconds; undefined if it is no number. */
  readonly hello: number | undefined;
  readonly dead: number | undefined;
}

interface DraftLink extends DraftPair {
  /** Undefined if it is no number. */
  readonly cost: number | undefined;
}

/** A link, a latency, or a flow. */
export interface DraftPair {
  readonly path: Path;
  readonly from: Reference | undefined;
  readonly to: Reference | undefined;
}

export interface DraftGateway extends Named {
  readonly node: Reference | undefined;
  readonly router: Reference | undefined;
}

export interface DraftEndHost extends Named {
  readonly node: Reference | undefined;
  readonly gateway: Reference | undefined;
  readonly forwards: Section<DraftForward>;
}

export interface DraftForward {
  readonly path: Path;
  /** Undefined outside the range. */
  readonly port: number | undefined;
  readonly to: Reference | undefined;
  /** The same as `port` if the file has none. */
  readonly toPort: number | undefined;
}

/** Router -> node. */
export interface DraftPlacement extends Named {
  readonly places: Section<Named & { readonly node: Reference | undefined }>;
}

interface Named {
  readonly name: string;
  readonly path: Path;
}

/** Reads a draft. `problems` are the schema's problems with `value`. */
export function readDraft(value: unknown, problems: readonly Problem[]): Draft {
  const reader = new DraftReader(value, problems);
  const vnet = vnetSchema.safeParse(reader.at(['vnet']));
  const number = reader.at(['number']);
  return {
    number: typeof number === 'number' ? number : undefined,
    vnet: vnet.success ? vnet.data : undefined,
    isPublic: reader.at(['public']) === true,
    ntp: reader.list(['ntp'], (path) => reader.reference(path)),
    nodes: reader.map(['substrate', 'nodes'], (name, path) => ({
      name,
      path,
      hasHost: reader.at([...path, 'host']) !== undefined,
      host: reader.reference([...path, 'host']),
      address: reader.reference([...path, 'address']),
      port: portOf(reader, path),
      hasWay: reader.at([...path, 'ssh']) !== undefined,
      jump: reader.at([...path, 'ssh', 'jump']) ?? reader.at(['ssh', 'jump']),
      dataplane: dataplaneOf(reader, path),
    })),
    latencyLinks: reader.list(['substrate', 'latency', 'links'], (path) => readPair(reader, path, 0, 1)),
    vns: readVns(reader),
  };
}

function portOf(reader: DraftReader, node: Path): number {
  const [own, common] = [reader.at([...node, 'port']), reader.at(['ssh', 'port'])];
  return [own, common].find((port) => typeof port === 'number') ?? 22;
}

function dataplaneOf(reader: DraftReader, node: Path): Dataplane | undefined {
  const own = reader.at([...node, 'dataplane']);
  if (isDataplane(own)) return own;
  if (reader.at([...node, 'host']) === undefined) return undefined;
  const common = reader.at(['dataplane']);
  return isDataplane(common) ? common : 'kernel';
}

function isDataplane(value: unknown): value is Dataplane {
  return dataplanes.some((known) => known === value);
}

function readVns(reader: DraftReader): DraftVn[] {
  const vns = reader.at(['vns']);
  if (Array.isArray(vns)) return vns.map((_, i) => readVn(reader, ['vns', i], ['vns', i, 'placements']));
  return vns === undefined && reader.at(['vn']) !== undefined ? [readVn(reader, ['vn'], ['placements'])] : [];
}

function readVn(reader: DraftReader, path: Path, placements: Path): DraftVn {
  return {
    path,
    name: reader.reference([...path, 'name'])?.name ?? '',
    routers: readRouters(reader, [...path, 'routers']),
    daemons: readDaemons(reader, [...path, 'routers']),
    routing: readRouting(reader, [...path, 'routing']),
    links: reader.list([...path, 'links'], (link) => ({
      ...readPair(reader, link, 0, 1),
      cost: numberAt(reader, [...link, 2], 1),
    })),
    gateways: reader.map([...path, 'gateways'], (name, gateway) => ({
      name,
      path: gateway,
      node: reader.reference([...gateway, 'node']),
      router: reader.reference([...gateway, 'router']),
    })),
    endHosts: reader.map([...path, 'endHosts'], (name, endHost) => ({
      name,
      path: endHost,
      node: reader.reference([...endHost, 'node']),
      gateway: reader.reference([...endHost, 'gateway']),
      forwards: reader.list([...endHost, 'forward'], (forward) => readForward(reader, forward)),
    })),
    flows: reader.list([...path, 'flows'], (flow) => readPair(reader, flow, 'from', 'to')),
    placements: reader.map(placements, (name, placement) => ({
      name,
      path: placement,
      places: reader.map(placement, (router, place) => ({ name: router, path: place, node: reader.reference(place) })),
    })),
  };
}

/** Reads the routers, each a name or a map with a name. */
function readRouters(reader: DraftReader, path: Path): Section<Reference> {
  const section = reader.list(path, (router) => reader.reference(router) ?? reader.reference([...router, 'name']));
  const value = reader.at(path);
  const hasNameless = Array.isArray(value) && value.some((item) => isMap(item) && typeof item.name !== 'string');
  const isReadable = section.names !== undefined && !hasNameless;
  return { ...section, names: isReadable ? new Set(section.entries.map(({ name }) => name)) : undefined };
}

function readDaemons(reader: DraftReader, path: Path): Section<DraftRouter> {
  return reader.list(path, (router) => {
    const { name } = reader.reference(router) ?? reader.reference([...router, 'name']) ?? {};
    if (name === undefined) return undefined;
    const kind = reader.at([...router, 'kind']) ?? defaultRouterKind;
    return {
      name,
      path: router,
      kind: typeof kind === 'string' && isRouterKind(kind) ? kind : undefined,
      config: reader.reference([...router, 'config']),
      bgp: readBgp(reader, [...router, 'bgp']),
      image: reader.reference([...router, 'image']),
      machineKeys: machineKeys.filter((key) => reader.at([...router, key]) !== undefined),
    };
  });
}

function readBgp(reader: DraftReader, path: Path): DraftBgp | undefined {
  if (!isMap(reader.at(path))) return undefined;
  const neighbours = reader.list([...path, 'neighbours'], (neighbour) => ({
    path: neighbour,
    router: reader.reference([...neighbour, 'router']),
    address: reader.reference([...neighbour, 'address']),
    hasAs: reader.at([...neighbour, 'as']) !== undefined,
  }));
  return { path, neighbours };
}

function readRouting(reader: DraftReader, path: Path): DraftRouting | undefined {
  if (!isMap(reader.at(path))) return undefined;
  const at = (key: string, otherwise: number) => numberAt(reader, [...path, key], otherwise);
  return { path, hello: at('hello', defaultHelloS), dead: at('dead', defaultDeadS) };
}

/** The number at a path, or the default if there is nothing; undefined if it is no number. */
function numberAt(reader: DraftReader, path: Path, otherwise: number): number | undefined {
  const value = reader.at(path) ?? otherwise;
  return typeof value === 'number' ? value : undefined;
}

function readForward(reader: DraftReader, path: Path): DraftForward {
  const portAt = (key: string, range: readonly [number, number]) => {
    const value = reader.at([...path, key]);
    return typeof value === 'number' && value >= range[0] && value <= range[1] ? value : undefined;
  };
  const port = portAt('port', forwardPorts);
  const toPort = reader.at([...path, 'toPort']) === undefined ? port : portAt('toPort', toPorts);
  return { path, port, to: reader.reference([...path, 'to']), toPort };
}

function readPair(reader: DraftReader, path: Path, from: string | number, to: string | number): DraftPair {
  return { path, from: reader.reference([...path, from]), to: reader.reference([...path, to]) };
}
