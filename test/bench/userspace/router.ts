/** The operations for a router between two tunnels, the same for both planes. */
import type { OperationInput } from '../../../src/vsys/operations.ts';
import { hosts } from './datagrams.ts';

/** Of the router: where packets come from, and where they go to. */
export type Side = 'near' | 'far';

const number = { near: 1, far: 2 } as const;
const peerMacs = { near: '02:50:0a:41:00:81', far: '02:50:0a:41:00:82' } as const;

/** `tunnelTo`: makes `pv001-near` or `pv001-far`. The far neighbour is 10.65.2.2. */
export function routerBetween(namespace: string, tunnelTo: (side: Side) => OperationInput): OperationInput[] {
  const sides = (['near', 'far'] as const).flatMap((side): OperationInput[] => {
    const network = `10.65.${number[side]}`;
    const peer = { address: `${network}.2`, mac: peerMacs[side] };
    return [tunnelTo(side), { op: 'vif_up', interface: `pv001-${side}`, namespace, address: `${network}.1`, peer }];
  });
  const nexthops = [{ interface: 'pv001-near', via: '10.65.1.2' }];
  return [
    { op: 'netns_up', namespace, urpf: 'strict' },
    ...sides,
    { op: 'vroute', action: 'add', namespace, prefix: hosts, nexthops },
  ];
}
