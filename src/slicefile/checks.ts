import { checkEdge } from './checks/edge.ts';
import { checkHosts } from './checks/hosts.ts';
import { checkNtp } from './checks/ntp.ts';
import { checkPlacements } from './checks/placements.ts';
import { checkForm, checkVns } from './checks/slice.ts';
import { checkSubnet } from './checks/subnet.ts';
import { checkSubstrate } from './checks/substrate.ts';
import { checkTopology } from './checks/topology.ts';
import type { Draft } from './draft.ts';
import type { Problem } from './fault.ts';

/** All that the schema cannot say. `value` is the file as it was read, `draft` what could be made of it. */
export function checkMeaning(value: unknown, draft: Draft): Problem[] {
  return [
    ...checkForm(value),
    ...checkSubnet(draft),
    ...checkNtp(draft),
    ...checkSubstrate(draft),
    ...checkHosts(draft),
    ...checkVns(draft),
    ...draft.vns.flatMap((vn) => [...checkTopology(vn), ...checkEdge(draft, vn), ...checkPlacements(draft, vn)]),
  ];
}
