import { checkDaemons } from './checks/daemons.ts';
import { checkDataplanes } from './checks/dataplanes.ts';
import { checkEdge } from './checks/edge.ts';
import { checkForwards } from './checks/forwards.ts';
import { checkHosts } from './checks/hosts.ts';
import { checkNtp } from './checks/ntp.ts';
import { checkPlacements } from './checks/placements.ts';
import { checkForm, checkVns } from './checks/slice.ts';
import { checkSubnet } from './checks/subnet.ts';
import { checkSubstrate } from './checks/substrate.ts';
import { checkTopology } from './checks/topology.ts';
import type { Draft } from './draft.ts';
import type { Problem } from './fault.ts';

/**
 * Checks everything that the schema cannot. `value` is the content of the file, `draft` the parts that could be read.
 */
export function checkMeaning(value: unknown, draft: Draft): Problem[] {
  return [
    ...checkForm(value),
    ...checkSubnet(draft),
    ...checkNtp(draft),
    ...checkSubstrate(draft),
    ...checkHosts(draft),
    ...checkVns(draft),
    ...checkForwards(draft),
    ...draft.vns.flatMap((vn) => [
      ...checkTopology(vn),
      ...checkEdge(draft, vn),
      ...checkPlacements(draft, vn),
      ...checkDataplanes(draft, vn),
      ...checkDaemons(draft, vn),
    ]),
  ];
}
