/** On output of FRR 8.4.4, shortened. */
import { expect, it } from 'vitest';
import { parseBgpSummary, parseOspfNeighbours, parseRouteSummary } from '../../../src/agent/daemons/frr-state.ts';

const ospf = {
  neighbors: {
    '1.1.1.2': [
      {
        priority: 1,
        state: 'Full/-',
        nbrPriority: 1,
        nbrState: 'Full/-',
        converged: 'Full',
        role: 'DROther',
        deadTimeMsecs: 3002,
        address: '10.65.0.2',
        ifaceAddress: '10.65.0.2',
        ifaceName: 'pv001-a:10.65.0.1',
      },
    ],
    '10.65.0.2': [{ nbrState: 'Init/-', ifaceAddress: '10.65.0.2', ifaceName: 'pv001-a:10.65.0.1' }],
  },
};
const peers = {
  '10.65.0.2': { remoteAs: 65_000, pfxRcd: 1, state: 'Established', peerState: 'OK', idType: 'ipv4' },
  '10.65.0.4': { remoteAs: 65_000, pfxRcd: 0, state: 'Active', peerState: 'OK', idType: 'ipv4' },
};

it('OSPF neighbours of FRR have an id, an address, an interface and a state', () => {
  const common = { protocol: 'ospf', address: '10.65.0.2', interface: 'pv001-a' };
  expect(parseOspfNeighbours(ospf)).toEqual([
    { ...common, neighbour: '1.1.1.2', state: 'Full/-', isUp: true },
    { ...common, neighbour: '10.65.0.2', state: 'Init/-', isUp: false },
  ]);
  expect(parseOspfNeighbours({})).toEqual([]);
});

it("FRR's BGP sessions are found, with and without a level for the address family", () => {
  const found = [
    { protocol: 'bgp', address: '10.65.0.2', state: 'Established', isUp: true },
    { protocol: 'bgp', address: '10.65.0.4', state: 'Active', isUp: false },
  ];
  expect(parseBgpSummary({ routerId: '1.1.1.1', peers })).toEqual(found);
  expect(parseBgpSummary({ ipv4Unicast: { routerId: '1.1.1.1', peers } })).toEqual(found);
  expect(parseBgpSummary({})).toEqual([]);
});

it('routes of FRR are counted by what brought them', () => {
  const route = (type: string, rib: number) => ({ fib: rib, rib, fibOffLoaded: 0, fibTrapped: 0, type });
  const routes = [route('kernel', 1), route('connected', 2), route('ospf', 10), route('ebgp', 3), route('ibgp', 4)];
  expect(parseRouteSummary({ routes, routesTotal: 20, routesTotalFib: 20 })).toEqual({
    kernel: 1,
    connected: 2,
    ospf: 10,
    bgp: 7,
  });
  expect(parseRouteSummary({})).toEqual({});
});
