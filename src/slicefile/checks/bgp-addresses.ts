import { formatAddress } from '../../model/address.ts';
import { accessAddresses } from '../../model/room.ts';
import { isDaemonRouter } from '../../model/router.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { atValue, type Problem } from '../fault.ts';
import type { Path } from '../path.ts';
import { list, quote } from '../words.ts';

/**
 * Checks that a BGP neighbour with an address is an end host behind a gateway of the router: only there both can reach
 * each other, whatever routes the VN has. `pathOf` returns the path of a VN in the file.
 */
export function checkBgpAddresses(slice: Slice, pathOf: (vn: number) => Path): Problem[] {
  return slice.vns.flatMap((vn, index) =>
    vn.routers.flatMap((router, position) => {
      if (!isDaemonRouter(router)) return [];
      const known = addressesBehind(slice, vn, router.name);
      return (router.config.bgp?.neighbours ?? []).flatMap((neighbour, number) => {
        if (!('address' in neighbour) || known.includes(neighbour.address)) return [];
        const path = [...pathOf(index), 'routers', position, 'bgp', 'neighbours', number, 'address'];
        const hint = known.length === 0 ? 'it has none' : `its end hosts: ${list(known)}`;
        const message = `${quote(neighbour.address)} is no end host behind a gateway of router ${quote(router.name)}`;
        return [atValue(path, message, hint)];
      });
    }),
  );
}

function addressesBehind(slice: Slice, vn: VirtualNetwork, router: string): string[] {
  const gateways = vn.gateways.filter((gateway) => gateway.router === router).map(({ name }) => name);
  const before = slice.vns.slice(0, slice.vns.indexOf(vn)).reduce((sum, { endHosts }) => sum + endHosts.length, 0);
  return vn.endHosts.flatMap(({ gateway }, index) => {
    return gateways.includes(gateway) ? [formatAddress(accessAddresses(slice, before + index).host)] : [];
  });
}
