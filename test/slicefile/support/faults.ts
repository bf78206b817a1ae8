import { checkSlice, formatFault } from '../../../src/slicefile/index.ts';

/** A slice file without faults, to which tests add one. */
export const goodFile = `slice: two
vnet: 10.64.0.0/16
substrate:
  nodes:
    n1: {}
    n2: {}
    gw1: {}
    gw2: {}
    h1: {}
    h2: {}
  latency:
    default: 10
    links:
      - [gw1, n1, 60]
      - [n1, n2, 120]
vn:
  name: two
  routers: [alpha, beta]
  links:
    - [alpha, beta]
  gateways:
    west: { node: gw1, router: alpha }
    east: { node: gw2, router: beta }
  endHosts:
    e1: { node: h1, gateway: west }
    e2: { node: h2, gateway: east }
  flows:
    - { from: e1, to: e2, rate: 1.5Mbps }
placements:
  initial: { alpha: n1, beta: n2 }
`;

/** Replaces `from`, which must occur, by `to` in the good file. */
export function changed(from: string, to: string): string {
  if (!goodFile.includes(from)) throw new Error(`'${from}' is not in the good file`);
  return goodFile.replace(from, () => to);
}

/** All faults of a text as `two.yaml:line:column: message (hint)`; empty if there are none. */
export function faultsOf(text: string): string[] {
  const checked = checkSlice(text, 'two.yaml');
  return 'faults' in checked ? checked.faults.map(formatFault) : [];
}
