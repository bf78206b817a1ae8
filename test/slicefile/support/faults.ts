import { checkSlice, formatFault } from '../../../src/slicefile/index.ts';

/** A slice file without faults, for tests to put one in. */
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

/** The good file with `from` (which must be in it) replaced by `to`. */
export function changed(from: string, to: string): string {
  if (!goodFile.includes(from)) throw new Error(`'${from}' is not in the good file`);
  return goodFile.replace(from, () => to);
}

/** All faults of a text as `two.yaml:line:column: message (hint)`; empty when it has none. */
export function faultsOf(text: string): string[] {
  const checked = checkSlice(text, 'two.yaml');
  return 'faults' in checked ? checked.faults.map(formatFault) : [];
}
