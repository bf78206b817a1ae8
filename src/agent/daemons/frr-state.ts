/** Reads the JSON that FRR's vtysh prints. Pure. Fields were read from FRR 8.4. */
import type { Adjacency } from '../../vsys/daemon.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Of `show ip ospf neighbor json`: neighbours by router id, each with one entry per interface. */
export function parseOspfNeighbours(json: unknown): Adjacency[] {
  return entries(fields(json).neighbors).flatMap(([neighbour, list]) =>
    (Array.isArray(list) ? list : [list]).map((entry): Adjacency => {
      const one = fields(entry);
      const state = text(one.nbrState) || text(one.state);
      return {
        protocol: 'ospf',
        neighbour,
        address: text(one.ifaceAddress) || text(one.address),
        // With the address of this end: `eth0:10.0.0.1`.
        interface: text(one.ifaceName).split(':')[0] ?? '',
        state,
        isUp: state.startsWith('Full'),
      };
    }),
  );
}

/** Of `show bgp ipv4 unicast summary json`. */
export function parseBgpSummary(json: unknown): Adjacency[] {
  const { peers } = fields(json).ipv4Unicast === undefined ? fields(json) : fields(fields(json).ipv4Unicast);
  return entries(peers).map(([address, entry]): Adjacency => {
    const state = text(fields(entry).state);
    return { protocol: 'bgp', address, state, isUp: state === 'Established' };
  });
}

/** Of `show ip route summary json`: the routes in FRR's table by what brought them. */
export function parseRouteSummary(json: unknown): Record<string, number> {
  const { routes } = fields(json);
  const counts: Record<string, number> = {};
  for (const one of Array.isArray(routes) ? routes.map(fields) : []) {
    const type = text(one.type);
    // FRR tells both kinds of BGP sessions apart.
    const origin = type === 'ebgp' || type === 'ibgp' ? 'bgp' : type;
    const count = Number(one.rib);
    if (origin !== '' && Number.isFinite(count) && count > 0) counts[origin] = (counts[origin] ?? 0) + count;
  }
  return counts;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function entries(value: unknown): [string, unknown][] {
  return Object.entries(fields(value));
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Counts the state changes of OSPF neighbours in `show ip ospf neighbor detail json`, by router id. */
export function countChanges(output: string): Record<string, number> {
  const neighbours = entries(fields(JSON.parse(output)).neighbors);
  return Object.fromEntries(
    neighbours.map(([id, found]) => {
      const list = (Array.isArray(found) ? found : [found]) as unknown[];
      const counters = list.map((one) => Number(fields(one).stateChangeCounter));
      return [id, counters.reduce((sum, count) => sum + (Number.isFinite(count) ? count : 0), 0)];
    }),
  );
}
