/** Topologies of containerlab (`*.clab.yml`): nodes of all kinds become routers, bridges become shared media. */
import type { ImportedDevice, ImportedSegment, Remark } from '../imported.ts';
import type { Part } from '../part.ts';
import { remarkAt, type TreeFormat } from './format.ts';

/** Ends of links that are no nodes. */
const outside = new Set(['host', 'mgmt-net', 'macvlan']);
const bridges = new Set(['bridge', 'ovs-bridge']);

export const containerlab: TreeFormat = {
  title: 'containerlab topology',
  fits: (root) => root.get('topology')?.has('nodes') === true,
  read: (root) => {
    const topology = root.get('topology')!;
    const remarks: Remark[] = [];
    const kindOf = kinds(topology);
    const nodes = (topology.get('nodes')?.entries('NODE') ?? []).map(([name, part]) => ({
      name,
      part,
      kind: kindOf(part),
    }));
    const media = new Set(nodes.flatMap(({ name, kind }) => (bridges.has(kind ?? '') ? [name] : [])));
    const devices = nodes.flatMap(({ name, part, kind }): ImportedDevice[] => {
      if (media.has(name)) return [];
      if (kind !== 'host') return [{ name, position: part.position }];
      remarks.push(remarkAt(part, `node ${name} is not imported: it is the machine itself`));
      return [];
    });
    const known = new Set([...devices.map(({ name }) => name), ...media]);
    const hosts = new Set(nodes.flatMap(({ name, kind }) => (kind === 'host' ? [name] : [])));
    const links = topology.all('links').flatMap((link) => readLink(link, { known, hosts, media, remarks }));
    const name = root.textOf('name');
    return { ...(name === undefined ? {} : { name }), content: { devices, segments: links }, remarks };
  },
};

/** The kind of a node: its own, that of its group, or the default. */
function kinds(topology: Part): (node: Part) => string | undefined {
  const common = topology.get('defaults')?.textOf('kind');
  const groups = new Map(topology.get('groups')?.entries('GROUP') ?? []);
  return (node) => node.textOf('kind') ?? groups.get(node.textOf('group') ?? '')?.textOf('kind') ?? common;
}

interface Names {
  readonly known: ReadonlySet<string>;
  readonly hosts: ReadonlySet<string>;
  readonly media: ReadonlySet<string>;
  readonly remarks: Remark[];
}

function readLink(link: Part, { known, hosts, media, remarks }: Names): ImportedSegment[] {
  if (!link.isMap()) throw link.fault('expected a link, like { endpoints: ["r1:eth1", "r2:eth1"] }');
  const type = link.textOf('type') ?? 'veth';
  const ends = [...link.all('endpoints'), ...link.all('endpoint')].map(readEnd);
  const leaves = ends.some(({ node }) => hosts.has(node) || (outside.has(node) && !known.has(node)));
  if (type !== 'veth' || leaves) {
    const names = ends.map(({ node }) => node).join(' to ');
    remarks.push(
      remarkAt(link, `link of ${names} is not imported: it leaves the lab${type === 'veth' ? '' : ` (${type})`}`),
    );
    return [];
  }
  if (ends.length !== 2) throw link.fault(`a link with ${ends.length} endpoints`, 'a link has two');
  const unknown = ends.find(({ node }) => !known.has(node));
  if (unknown !== undefined) throw unknown.part.fault(`there is no node ${unknown.node}`, 'add it to topology.nodes');
  const [a, b] = ends.map(({ node }) => node) as [string, string];
  const { position } = link;
  // A link between two bridges makes one medium of them.
  if (media.has(a) && media.has(b))
    return [
      { position, medium: a, ends: [] },
      { position, medium: b, ends: [], joins: a },
    ];
  if (media.has(a)) return [{ position, medium: a, ends: [b] }];
  if (media.has(b)) return [{ position, medium: b, ends: [a] }];
  return [{ position, ends: [a, b] }];
}

/** An endpoint as `node:interface`, or as a map with `node`. */
function readEnd(part: Part): { node: string; part: Part } {
  if (!part.isMap()) {
    const text = part.text();
    const node = text.split(':', 1)[0]!;
    if (node === '' || !text.includes(':')) throw part.fault(`${text} is no endpoint`, 'write it like r1:eth1');
    return { node, part };
  }
  const node = part.textOf('node');
  part.get('interface');
  if (node === undefined) throw part.fault('an endpoint without a node');
  return { node, part };
}
