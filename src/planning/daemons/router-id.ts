import { formatAddress } from '../../model/address.ts';
import { VnmError } from '../../model/errors.ts';
import type { RouterName } from '../../model/names.ts';
import { routerNames } from '../../model/router.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';

/**
 * The identity of a router towards its neighbours, as `a.b.c.d`: the number of its VN and its own number in it, both
 * from 1. The VN keeps it for its life, whatever addresses an instance has: the daemons of a new instance begin with
 * the identities of the old ones. Unique within the slice; routers of other slices are no neighbours.
 */
export function routerId(slice: Slice, vn: VirtualNetwork, router: RouterName): string {
  const ofVn = slice.vns.findIndex(({ name }) => name === vn.name);
  const own = routerNames(vn).indexOf(router);
  if (ofVn < 0 || own < 0) throw new VnmError('not-found', `slice '${slice.name}' has no router '${router}'`);
  return formatAddress((ofVn + 1) * 65_536 + own + 1);
}
