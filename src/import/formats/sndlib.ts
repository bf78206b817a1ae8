/** Networks of SNDlib in XML: nodes with coordinates, and the links between them. */
import type { ImportedDevice, ImportedSegment } from '../imported.ts';
import type { Part } from '../part.ts';
import { type Reading, remarkAt, type TreeFormat } from './format.ts';
import { checkedPlace } from './graphml.ts';

export const sndlib: TreeFormat = {
  title: 'SNDlib network',
  fits: (root) => root.isMap(),
  read: (root) => {
    root.get('@version');
    const [structure] = root.all('networkStructure');
    const [nodes] = structure?.all('nodes') ?? [];
    const [links] = structure?.all('links') ?? [];
    if (structure === undefined || nodes === undefined) throw root.fault('there are no nodes');
    const type = nodes.textOf('@coordinatesType') ?? 'pixel';
    const isOnEarth = type === 'geographical';
    const devices = nodes.all('node').map((node) => readNode(node, isOnEarth));
    const known = new Set(devices.map(({ name }) => name));
    const segments = (links?.all('link') ?? []).map((link) => readLink(link, known));
    const remarks = isOnEarth ? [] : [remarkAt(nodes, `no latencies: coordinates of type ${type} are no distances`)];
    return { content: { devices, segments }, remarks } satisfies Reading;
  },
};

function readNode(node: Part, isOnEarth: boolean): ImportedDevice {
  const name = node.textOf('@id');
  if (name === undefined) throw node.fault("a node without 'id'");
  const [coordinates] = node.all('coordinates');
  const [x, y] = ['x', 'y'].map((axis) => coordinates?.all(axis)[0]?.numberOf('#text'));
  const { position } = node;
  if (!isOnEarth || x === undefined || y === undefined) return { name, position };
  return { name, position, place: checkedPlace(node, y, x) };
}

function readLink(link: Part, known: ReadonlySet<string>): ImportedSegment {
  const ends = ['source', 'target'].map((end) => {
    const name = link.all(end)[0]?.textOf('#text');
    if (name === undefined) throw link.fault(`a link without ${end}`);
    if (!known.has(name)) throw link.fault(`there is no node ${name}`, 'a link joins two nodes of the network');
    return name;
  });
  link.get('@id');
  return { position: link.position, ends };
}
