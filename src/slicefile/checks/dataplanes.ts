import type { Draft, DraftVn } from '../draft.ts';
import type { Reference } from '../draft-reader.ts';
import { atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';

/**
 * Checks that the nodes of a VN have one data plane: a tunnel of one plane cannot end on the other. A node on the local
 * testbed that names none has the testbed's.
 */
export function checkDataplanes({ nodes }: Draft, vn: DraftVn): Problem[] {
  const planes = new Map(nodes.entries.map(({ name, dataplane }) => [name, dataplane]));
  const known = nodesOf(vn).filter(({ name }) => planes.get(name) !== undefined);
  const [first] = known;
  const other = known.find(({ name }) => planes.get(name) !== planes.get(first!.name));
  if (first === undefined || other === undefined) return [];
  const named = (node: Reference) => `node ${quote(node.name)} with the ${planes.get(node.name)} data plane`;
  return [
    atValue(
      other.path,
      `VN ${quote(vn.name)} uses ${named(first)} and ${named(other)}`,
      'give all nodes of a VN the same dataplane',
    ),
  ];
}

function nodesOf({ gateways, endHosts, placements }: DraftVn): Reference[] {
  const places = placements.entries.flatMap((placement) => placement.places.entries);
  return [...gateways.entries, ...endHosts.entries, ...places].flatMap(({ node }) => node ?? []);
}
