import { exceeded, instanceDemand, largestDemand } from '../../model/demand.ts';
import { ownLimits } from '../../model/limits.ts';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { atKey, type Problem } from '../fault.ts';
import type { Path } from '../path.ts';
import { quote } from '../words.ts';

/**
 * The most routes that one instance may have on one node: they are sent in one message of at most 32 MiB, with up to
 * 250 bytes each.
 */
const maxRoutesAtOnce = 120_000;

/**
 * Checks that every node can carry its part of the VNs while all of them migrate, within the limits of the user's own
 * nodes. `pathOf` returns the path of a VN in the file.
 */
export function checkCapacity(slice: Slice, pathOf: (vn: number) => Path): Problem[] {
  return slice.vns.flatMap((vn, index) =>
    [...vn.placements.keys()].flatMap((name) =>
      checkPlacement(slice, vn, name, [...pathOf(index), 'placements', name]),
    ),
  );
}

function checkPlacement(slice: Slice, vn: VirtualNetwork, name: string, path: Path): Problem[] {
  const placement = vn.placements.get(name)!;
  return [...new Set(placement.values())].flatMap((node) => {
    const own = instanceDemand(vn, placement, node);
    const what = `placement ${quote(name)}: node ${quote(node)}`;
    if (own.routes > maxRoutesAtOnce) {
      const message = `${what} would have ${own.routes} routes`;
      return [atKey(path, message, `at most ${maxRoutesAtOnce} at once: place fewer routers on the node`)];
    }
    return exceeded(largestDemand(slice, node), ownLimits).map(({ kind, needed, limit }) =>
      atKey(
        path,
        `${what} would have ${needed} ${kind} during migrations`,
        `at most ${limit}: place fewer routers on the node`,
      ),
    );
  });
}
