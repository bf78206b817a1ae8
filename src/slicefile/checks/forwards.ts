import { noForwardsHint } from '../../model/dataplane.ts';
import type { Draft, DraftEndHost, DraftForward, DraftNode, DraftVn } from '../draft.ts';
import { atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';
import { anEndHost, checkReference, repeats } from './references.ts';

/** A forward, its end host, and the hosts whose 127.0.0.1 its two sides use; undefined where a node is unknown. */
interface Placed {
  readonly forward: DraftForward;
  readonly endHost: DraftEndHost;
  readonly vn: DraftVn;
  readonly at: string | undefined;
  readonly toAt: string | undefined;
}

const testbed = 'the local testbed, whose nodes share 127.0.0.1';

/** Checks the forwards of all VNs together, since they share the nodes' ports. */
export function checkForwards(draft: Draft): Problem[] {
  const nodes = new Map(draft.nodes.entries.map((node) => [node.name, node]));
  const placed = draft.vns.flatMap((vn) => forwardsOf(vn, nodes));
  return [
    ...placed.flatMap(checkEnds),
    ...draft.vns.flatMap((vn) => checkPlane(vn, nodes)),
    ...checkListeners(placed),
    ...checkServices(placed),
  ];
}

function forwardsOf(vn: DraftVn, nodes: ReadonlyMap<string, DraftNode>): Placed[] {
  const hostOf = (endHost: DraftEndHost | undefined) => {
    const node = nodes.get(endHost?.node?.name ?? '');
    if (node === undefined) return undefined;
    return node.hasHost ? `node ${quote(node.name)}` : testbed;
  };
  return vn.endHosts.entries.flatMap((endHost) =>
    endHost.forwards.entries.map((forward) => {
      const to = vn.endHosts.entries.find(({ name }) => name === forward.to?.name);
      return { forward, endHost, vn, at: hostOf(endHost), toAt: hostOf(to) };
    }),
  );
}

function checkEnds({ forward: { to }, endHost, vn }: Placed): Problem[] {
  if (to === undefined || to.name !== endHost.name) return checkReference(anEndHost, to, vn.endHosts);
  return [
    atValue(
      to.path,
      `forward of end host ${quote(endHost.name)} to itself`,
      'name another end host; programs on one node reach each other by 127.0.0.1 anyway',
    ),
  ];
}

/** A node without a host has the data plane of the local testbed: `install` checks it. */
function checkPlane(vn: DraftVn, nodes: ReadonlyMap<string, DraftNode>): Problem[] {
  return vn.endHosts.entries.flatMap(({ node, forwards }) => {
    const isKernel = nodes.get(node?.name ?? '')?.dataplane === 'kernel';
    if (!isKernel || forwards.entries.length === 0) return [];
    return atValue(
      forwards.path,
      `node ${quote(node!.name)} has the kernel data plane, which has no forwards`,
      noForwardsHint,
    );
  });
}

function checkListeners(placed: readonly Placed[]): Problem[] {
  const keyOf = ({ at, forward: { port } }: Placed) =>
    at === undefined || port === undefined ? undefined : `${at} ${port}`;
  return repeats(placed, keyOf).map(({ item, first }) =>
    atValue(
      [...item.forward.path, 'port'],
      `end host ${quote(first.endHost.name)} already has a forward at port ${item.forward.port} of ${item.at}`,
      'give each forward its own port',
    ),
  );
}

/** What is delivered at a port where a forward listens would be sent on by it, perhaps in a loop. */
function checkServices(placed: readonly Placed[]): Problem[] {
  return placed.flatMap(({ forward: { path, to, toPort }, endHost, toAt }) => {
    const listener = placed.find(({ at, forward }) => at !== undefined && at === toAt && forward.port === toPort);
    if (listener === undefined || to === undefined || toPort === undefined || to.name === endHost.name) return [];
    return atValue(
      path,
      `port ${toPort} of end host ${quote(to.name)} is where a forward of end host ${quote(listener.endHost.name)} listens, on ${toAt}`,
      'give one of the two another port: a port of 127.0.0.1 belongs either to a program or to a forward',
    );
  });
}
