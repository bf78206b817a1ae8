/**
 * GraphML as the Internet Topology Zoo writes it: nodes have labels and coordinates, which `key` elements name. Any
 * other GraphML works, too, where its keys have these names.
 */
import type { ImportedDevice, ImportedSegment, Place, Remark } from '../imported.ts';
import type { Part } from '../part.ts';
import { Tally } from '../tally.ts';
import { remarkAt, type TreeFormat } from './format.ts';

export const graphml: TreeFormat = {
  title: 'GraphML',
  fits: (root) => root.isMap(),
  read: (root) => {
    const [graph, ...others] = root.all('graph');
    if (graph === undefined) throw root.fault('there is no graph');
    if (others.length > 0) throw others[0]!.fault('a second graph', 'give a file with one graph');
    graph.get('@edgedefault');
    graph.get('@id');
    const keys: Keys = { nameOf: keysOf(root), unused: new Tally(root.file) };
    const graphData = dataOf(graph, keys);
    const remarks: Remark[] = [];
    const found = graph.all('node').map((node) => readNode(node, keys));
    const media = new Set(found.flatMap(({ id, isMedium }) => (isMedium ? [id] : [])));
    const ids = new Map<string, string>();
    for (const { id, name, part } of found) {
      if (ids.has(id)) throw part.fault(`node ${id} is there twice`, 'give each node its own id');
      ids.set(id, name);
    }
    const outer = found.filter(({ isExternal, isMedium }) => isExternal && !isMedium);
    if (outer.length > 0) {
      const names = outer.map(({ name }) => name).join(', ');
      remarks.push(remarkAt(outer[0]!.part, `nodes outside the network are routers like the others: ${names}`));
    }
    const segments = graph.all('edge').map((edge) => {
      dataOf(edge, keys);
      return readEdge(edge, ids, media);
    });
    const devices = found.filter(({ isMedium }) => !isMedium).map(({ device }) => device);
    const named = graphData.get('Network') ?? graphData.get('label');
    return {
      ...(named === undefined ? {} : { name: named }),
      content: { devices, segments },
      remarks: [...remarks, ...keys.unused.remarks()],
    };
  },
};

/** The names of the keys that `data` refers to. */
function keysOf(root: Part): (id: string) => string {
  const names = new Map(
    root.all('key').map((key) => {
      const name = key.textOf('@attr.name');
      key.get('@attr.type');
      key.get('@for');
      return [key.textOf('@id') ?? '', name ?? ''] as const;
    }),
  );
  return (id) => names.get(id) ?? id;
}

/** What `data` elements mean, and those that are not used. */
interface Keys {
  readonly nameOf: (id: string) => string;
  readonly unused: Tally;
}

const usedData = new Set(['label', 'Latitude', 'Longitude', 'Internal', 'hyperedge', 'Network', 'id', 'key']);

/** The data of an element by the names of their keys. */
function dataOf(element: Part, { nameOf, unused }: Keys): Map<string, string> {
  return new Map(
    element.all('data').flatMap((data) => {
      const name = nameOf(data.textOf('@key') ?? '');
      const text = data.textOf('#text');
      if (usedData.has(name)) return text === undefined ? [] : [[name, text] as const];
      data.skip();
      unused.add(`data ${name === '' ? '(drawing)' : name}`, data.position);
      return [];
    }),
  );
}

interface FoundNode {
  readonly id: string;
  readonly name: string;
  readonly part: Part;
  readonly isMedium: boolean;
  readonly isExternal: boolean;
  readonly device: ImportedDevice;
}

function readNode(node: Part, keys: Keys): FoundNode {
  const id = node.textOf('@id');
  if (id === undefined) throw node.fault("a node without 'id'");
  const data = dataOf(node, keys);
  const label = data.get('label');
  const name = label === undefined || !/[A-Za-z0-9]/.test(label) || label === 'None' ? id : label;
  const place = placeOf(node, data);
  const { position } = node;
  return {
    id,
    name,
    part: node,
    isMedium: isTrue(data.get('hyperedge')),
    isExternal: data.has('Internal') && !isTrue(data.get('Internal')),
    device: { name: id, label: name, position, ...(place === undefined ? {} : { place }) },
  };
}

function placeOf(node: Part, data: ReadonlyMap<string, string>): Place | undefined {
  const [latitude, longitude] = [data.get('Latitude'), data.get('Longitude')];
  if (latitude === undefined || longitude === undefined) return undefined;
  return checkedPlace(node, Number(latitude), Number(longitude));
}

/** Coordinates in degrees. Throws VnmError `invalid-input` if they are none. */
export function checkedPlace(part: Part, latitude: number, longitude: number): Place {
  if (Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180) return { latitude, longitude };
  throw part.fault(
    `latitude ${latitude} and longitude ${longitude} are no coordinates`,
    'a latitude is from -90 to 90 degrees, a longitude from -180 to 180',
  );
}

function readEdge(edge: Part, ids: ReadonlyMap<string, string>, media: ReadonlySet<string>): ImportedSegment {
  const ends = ['@source', '@target'].map((key) => {
    const id = edge.textOf(key);
    if (id === undefined) throw edge.fault(`an edge without '${key.slice(1)}'`);
    if (!ids.has(id)) throw edge.fault(`there is no node ${id}`, 'an edge joins two nodes of the graph');
    return id;
  }) as [string, string];
  edge.get('@id');
  const { position } = edge;
  const [medium, ...rest] = ends.filter((id) => media.has(id));
  if (medium === undefined) return { position, ends };
  if (rest.length > 0) return { position, medium, ends: [], joins: rest[0]! };
  return { position, medium, ends: ends.filter((id) => id !== medium) };
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|true)$/i.test(text);
}
