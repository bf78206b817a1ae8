import type { Operation, OperationName } from '../../../vsys/operations.ts';
import type { Draft } from './draft.ts';
import { filterFor, sendersOf, tunnelKey, unionOf } from './filter.ts';
import { silence } from './plan-quiet.ts';
import { type KernelState, type Link, ownStack, type TunnelFilter, type VxlanEnds } from './state.ts';

const concerned: readonly OperationName[] = [
  'tunnel_up',
  'tunnel_down',
  'vif_up',
  'vif_down',
  'netns_up',
  'netns_down',
];

export function concernsInterfaces(operation: { op: OperationName }): boolean {
  return concerned.includes(operation.op);
}

/**
 * Protects the slice's interfaces, also those that an agent of an earlier version made and that the batch does not
 * name. A batch that repairs names everything that it concerns, and touches nothing else.
 */
export function protectInterfaces(draft: Draft, operations: readonly Operation[], before: KernelState): void {
  const named = new Set(operations.flatMap((operation) => ('interface' in operation ? [operation.interface] : [])));
  const isMeant = ({ name }: Link) => !draft.repair || named.has(name);
  for (const link of [...draft.stacks.get(ownStack)!.links.values()]) {
    if (link.up && isMeant(link)) silence(draft, { namespace: ownStack, name: link.name });
  }
  if (draft.filter !== undefined) protectTunnels(draft, draft.filter, before, isMeant);
}

/** Restricts watched tunnels whose remote has been heard to packets from it. */
export function protectHeard(draft: Draft, before: KernelState): void {
  if (draft.filter?.table === 'complete') protectTunnels(draft, draft.filter, before, () => false);
}

/**
 * Changes the filter: adds what to accept before the batch, so that no tunnel is up without it, and removes what is no
 * longer accepted after the batch.
 */
function protectTunnels(
  draft: Draft,
  found: TunnelFilter,
  before: KernelState,
  isMeant: (link: Link) => boolean,
): void {
  const all = linksOf(draft);
  const isKnown = ({ vxlan }: Link) => vxlan === undefined || found.remotes.has(tunnelKey(vxlan));
  const links = all.filter((link) => link.kind !== 'loopback' && (isMeant(link) || isKnown(link)));
  const wanted = filterFor(links, (end) => isToBeWatched(found, before, end));
  const both = wanted.table === 'none' ? found : unionOf(found, wanted);
  draft.changeFilter(found, both, 'before');
  draft.changeFilter(both, wanted, 'after');
}

function linksOf({ stacks }: KernelState): Link[] {
  return [...stacks.values()].flatMap((stack) => [...stack.links.values()]);
}

/**
 * Whether a tunnel already runs and the source address of its other end is unknown: an agent of an earlier version made
 * it without recording the source, which is now learned from the packets.
 */
function isToBeWatched({ remotes, watched, heard }: TunnelFilter, before: KernelState, end: VxlanEnds): boolean {
  const key = tunnelKey(end);
  if ((remotes.has(key) && !watched.has(key)) || heard.get(key)?.has(end.remote)) return false;
  const isRunning = ({ vxlan }: Link) =>
    vxlan !== undefined &&
    tunnelKey(vxlan) === key &&
    vxlan.remote === end.remote &&
    (watched.has(key) || vxlan.local === undefined);
  return linksOf(before).some(isRunning);
}

/** Whether a tunnel accepts packets from its senders only, or will as soon as the remote is heard. */
export function isProtected(
  filter: TunnelFilter | undefined,
  end: Parameters<typeof sendersOf>[0] & Pick<VxlanEnds, 'vni' | 'port'>,
): boolean {
  if (filter === undefined) return true;
  const [accepted, wanted] = [filter.remotes.get(tunnelKey(end)), sendersOf(end)];
  return (
    filter.table === 'complete' && accepted?.size === wanted.size && [...wanted].every((sender) => accepted.has(sender))
  );
}
