/** The text of a new slice file. */
import { Document, isMap, isSeq, type Pair, type Scalar, type YAMLMap } from 'yaml';
import { loginKeys, wayKeys } from './login-keys.ts';
import type { FileNode } from './nodes.ts';
import type { Routers } from './topology.ts';

/** Lists longer than this have a line for each entry. */
const maxInline = 8;

interface Common {
  readonly slice: string;
  readonly vnet: string;
  /** What the file was made from, for the comment at its top. */
  readonly origin: string;
}

/** A slice with these nodes, and a VN to begin with: one router, on the first node. */
export function textOfNodes(nodes: readonly FileNode[], { slice, vnet, origin }: Common): string {
  const shared = sharedLogin(nodes);
  const document = new Document({
    slice,
    vnet,
    ...(Object.keys(shared).length === 0 ? {} : { ssh: shared }),
    substrate: { nodes: Object.fromEntries(nodes.map((node) => [node.name, nodeValue(node, shared)])) },
    vn: { name: 'net', routers: ['r1'] },
    placements: { initial: { r1: nodes[0]!.name } },
  });
  comment(document, [], ` Made by 'pl-vnm import' from ${origin}.`);
  comment(document, ['vn'], ' A VN to begin with. Replace it: routers, links, gateways, end hosts, flows, placements.');
  return textOf(document);
}

/** A router with a gateway and an end host, each on a node of its own with the same name. */
export interface Edge {
  readonly router: string;
  readonly gateway: string;
  readonly endHost: string;
}

/** A slice on the local testbed with one VN: a router on a node of the same name for each device. */
export function textOfTopology(
  { routers, links, meanMs }: Routers,
  edges: readonly Edge[],
  { slice, vnet, origin }: Common,
): string {
  const ofLinks = links.flatMap(({ from, to, latencyMs }) => (latencyMs === undefined ? [] : [[from, to, latencyMs]]));
  // An end host is where its router is at first.
  const ofEdges = edges.flatMap(({ router, gateway, endHost }) => [
    [gateway, router, 0],
    [endHost, gateway, 0],
  ]);
  const latencies = ofLinks.length === 0 ? [] : [...ofLinks, ...ofEdges];
  const nodes = [...routers, ...edges.flatMap(({ gateway, endHost }) => [gateway, endHost])];
  const document = new Document({
    slice,
    vnet,
    substrate: {
      nodes: Object.fromEntries(nodes.map((node) => [node, {}])),
      ...(latencies.length === 0 ? {} : { latency: { default: meanMs ?? 0, links: latencies } }),
    },
    vn: {
      name: slice,
      routers,
      ...(links.length === 0 ? {} : { links: links.map(({ from, to }) => [from, to]) }),
      ...(edges.length === 0 ? {} : edgeValues(edges)),
    },
    placements: { initial: Object.fromEntries(routers.map((router) => [router, router])) },
  });
  comment(document, [], ` Made by 'pl-vnm import' from ${origin}.`);
  if (latencies.length > 0) {
    const text =
      ' Estimated from coordinates: the time of light in fibre (two thirds of its speed in vacuum) along the\n great circle between two nodes. The default is the mean of all pairs.';
    comment(document, ['substrate', 'latency'], text);
  }
  return textOf(document);
}

/** Gateways and end hosts, and a flow from each end host to each other one. */
function edgeValues(edges: readonly Edge[]) {
  const flows = edges.flatMap(({ endHost: from }) =>
    edges.filter(({ endHost: to }) => to !== from).map(({ endHost: to }) => ({ from, to, rate: '500kbps' })),
  );
  return {
    gateways: Object.fromEntries(edges.map(({ router, gateway }) => [gateway, { node: gateway, router }])),
    endHosts: Object.fromEntries(edges.map(({ gateway, endHost }) => [endHost, { node: endHost, gateway }])),
    ...(flows.length === 0 ? {} : { flows }),
  };
}

/** The login that all nodes have in common. */
function sharedLogin(nodes: readonly FileNode[]): Partial<FileNode> {
  const [first] = nodes;
  const keys = [...loginKeys, ...wayKeys].filter((key) => {
    const value = first?.[key];
    return value !== undefined && nodes.every((node) => isSame(node[key], value));
  });
  return Object.fromEntries(keys.map((key) => [key, first![key]]));
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** A node as a slice file has it, without what it has in common with all others. */
function nodeValue(node: FileNode, shared: Partial<FileNode>): Record<string, unknown> {
  const own = (keys: readonly (keyof FileNode)[]) =>
    keys.filter((key) => node[key] !== undefined && shared[key] === undefined);
  const way = Object.fromEntries(own(wayKeys).map((key) => [key, node[key]]));
  return {
    host: node.host,
    ...Object.fromEntries(own([...loginKeys, 'address']).map((key) => [key, node[key]])),
    ...(Object.keys(way).length === 0 ? {} : { ssh: way }),
  };
}

/** Puts a comment before a key, or at the top of the file. */
function comment(document: Document, path: readonly string[], text: string): void {
  if (path.length === 0) {
    document.commentBefore = text;
    return;
  }
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1));
  const pair = (parent as YAMLMap).items.find(({ key }) => (key as Scalar).value === path.at(-1)) as Pair<Scalar>;
  pair.key.commentBefore = text;
}

/** The text, with nodes and short lists on one line each, as people write slice files. */
function textOf(document: Document): string {
  const inline = (path: readonly string[]) => {
    const found = document.getIn(path);
    if (isMap(found) || isSeq(found)) found.flow = true;
  };
  const inlineEntries = (path: readonly string[]) => {
    const found = document.getIn(path);
    if (isMap(found)) for (const { key } of found.items) inline([...path, String((key as Scalar).value)]);
    if (isSeq(found)) for (const item of found.items) if (isSeq(item) || isMap(item)) item.flow = true;
  };
  inline(['ssh']);
  inlineEntries(['substrate', 'nodes']);
  inlineEntries(['substrate', 'latency', 'links']);
  const routers = document.getIn(['vn', 'routers']);
  if (isSeq(routers) && routers.items.length <= maxInline) inline(['vn', 'routers']);
  for (const key of ['links', 'gateways', 'endHosts', 'flows']) inlineEntries(['vn', key]);
  const initial = document.getIn(['placements', 'initial']);
  if (isMap(initial) && initial.items.length <= maxInline) inline(['placements', 'initial']);
  // Lists of names without the spaces that maps have.
  return document.toString({ lineWidth: 0 }).replaceAll(/^( *(?:- |routers: ))\[ (.*) \]$/gm, '$1[$2]');
}
