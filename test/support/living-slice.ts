import type { DaemonKind } from '../../src/model/daemon.ts';
import type { Slice } from '../../src/model/slice.ts';
import { parseSlice } from '../../src/slicefile/index.ts';

/** How the four routers learn routes: by OSPF, by BGP with a system each, or by BGP between two systems with OSPF. */
export type Learning = 'ospf' | 'bgp' | 'both';

/**
 * A ring of four routers on two nodes, with gateways at two of them. `kinds`: the daemons of the routers a, b-x, c, d.
 */
export function livingSlice(kinds: readonly DaemonKind[], learning: Learning, text?: string): Slice {
  const systems = learning === 'both' ? [65_001, 65_001, 65_002, 65_002] : [65_001, 65_002, 65_003, 65_004];
  const neighbours = learning === 'both' ? [['d'], ['c'], [], []] : [[], ['a', 'c'], ['d'], ['a']];
  const routers = ['a', 'b-x', 'c', 'd'].map((name, index) => {
    const list = neighbours[index]!.map((router) => `{ router: ${router} }`).join(', ');
    const bgp = learning === 'ospf' ? '' : `, bgp: { as: ${systems[index]}, neighbours: [${list}] }`;
    const config = text === undefined ? '' : ', config: own.conf';
    return `    - { name: ${name}, kind: ${kinds[index]}${bgp}${config} }`;
  });
  const file = `slice: test
number: 1
vnet: 10.65.0.0/16
substrate: { nodes: { p1: {}, p2: {}, p3: {}, h1: {}, h2: {}, h3: {} } }
vn:
  name: test
  routers:
${routers.join('\n')}
  ${learning === 'bgp' ? '' : 'routing: { protocol: ospf, hello: 1, dead: 4 }'}
  links: [[a, b-x, 10], [b-x, c, 10], [c, d, 10], [a, d, 15]]
  gateways: { g1: { node: p1, router: a }, g2: { node: p2, router: d } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 }, e3: { node: h3, gateway: g2 } }
placements:
  initial: { a: p1, b-x: p1, c: p2, d: p2 }
  final: { a: p3, b-x: p2, c: p2, d: p1 }
`;
  return parseSlice(file, 'test.yaml', () => text ?? '');
}
