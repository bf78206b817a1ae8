/** Checks, before anything is made, that the nodes can have an instance, and are different machines. */

import {
  accessDemand,
  addDemand,
  type Demand,
  type DemandKind,
  exceeded,
  instanceDemand,
  largestDemand,
} from '../../model/demand.ts';
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { Placement, Slice, VirtualNetwork } from '../../model/slice.ts';
import type { NodeFacts } from '../../vsys/messages.ts';
import type { Context } from '../base/context.ts';
import { edgeNodes } from '../base/resolve.ts';
import { type Agents, combineByNode } from './agents.ts';
import { requirePrograms } from './programs.ts';

export interface PlacedVn {
  readonly vn: VirtualNetwork;
  readonly placement: Placement;
}

/**
 * Throws one VnmError `forbidden` that names every node whose policy allows less than the slice would have there with
 * `added` on top of what is recorded, with a hint how to raise the limit; and as `requirePrograms`.
 */
export function requireRoom({ store }: Pick<Context, 'store'>, agents: Agents, added: readonly PlacedVn[]): void {
  requirePrograms(agents, added);
  const { slice } = agents;
  const recorded = store.instances.list({ slice: slice.name }).flatMap(({ id, vn: name }): PlacedVn[] => {
    const vn = slice.vns.find((candidate) => candidate.name === name);
    if (vn === undefined) return [];
    const { placement, moving } = store.instances.plan(id);
    // A moving router is on both of its nodes.
    return moving === undefined
      ? [{ vn, placement }]
      : [
          { vn, placement },
          { vn, placement: moving },
        ];
  });
  const nodes = new Set(added.flatMap(({ vn, placement }) => [...placement.values(), ...edgeNodes(vn)]));
  const failures = [...nodes]
    .filter((node) => !agents.missing.has(node))
    .flatMap((node): [string, VnmError][] => {
      const before = demandOf(recorded, node);
      const after = demandOf([...recorded, ...added], node);
      const { facts } = agents.get(node);
      const beyond = exceeded(after, facts.policy.limits).filter(({ kind }) => after[kind] > before[kind]);
      return beyond.map(({ kind, needed, limit }) => {
        const there = before[kind] > 0 ? ` (${before[kind]} of them are there already)` : '';
        const message = `slice '${slice.name}' would have ${needed} ${kind}${there}, but its policy there allows ${limit}`;
        return [node, new VnmError('forbidden', message, { hint: howToRaise(slice, node, facts, kind, needed) })];
      });
    });
  const error = combineByNode(failures);
  if (error !== undefined) throw error;
}

/** The demand of each instance, and of each VN outside its instances. */
function demandOf(placed: readonly PlacedVn[], node: NodeName): Demand {
  // The trial of a move has a part of a VN that is there as a whole.
  const vns = new Map(placed.toReversed().map(({ vn }) => [vn.name, vn]));
  return addDemand(
    ...placed.map(({ vn, placement }) => instanceDemand(vn, placement, node)),
    ...[...vns.values()].map((vn) => accessDemand(vn, node)),
  );
}

/** Describes each limit in the policy of a node that is too low for some migration, with a hint; empty if none is. */
export function tooLittleRoom(slice: Slice, node: NodeName, facts: NodeFacts): string[] {
  const demand = largestDemand(slice, node);
  const kinds = exceeded(demand, facts.policy.limits);
  return kinds.map(({ kind, needed, limit }) => {
    const text = `its policy allows ${limit} ${kind}, but a migration may need ${needed}`;
    return `${text} (${howToRaise(slice, node, facts, kind, needed)})`;
  });
}

/** Reports as notes which limits are too low for some later migration. */
export function noteTooLittleRoom(context: Pick<Context, 'report'>, agents: Agents): void {
  for (const node of agents.nodes()) {
    for (const text of tooLittleRoom(agents.slice, node, agents.get(node).facts)) {
      context.report({ kind: 'note', text: `node '${node}': ${text}` });
    }
  }
}

function howToRaise(slice: Slice, node: NodeName, { agent }: NodeFacts, kind: DemandKind, needed: number): string {
  const command = `pl-vnm agent install SLICE.yaml --node ${node} --limit ${kind}=${needed}`;
  const file = `policy/${slice.name}.json in /etc/pl-vnm`;
  return `have the node's administrator run ${command}; on a node of your own set limits.${kind} in ${file} and end the slice's agent (kill ${agent.pid})`;
}

/**
 * Throws VnmError `conflict` when two nodes are the same machine: their tunnels would meet in one network stack. A
 * machine is recognized by its only agent of the slice, and by its address.
 */
export function refuseOneMachine(agents: Agents): void {
  const nodes = agents.nodes();
  const identities = nodes.map((node) => ({
    node,
    process: agents.get(node).facts.agent.process,
    address: endpointOf(agents, node),
  }));
  const same = sameMachines(identities);
  if (same.length === 0) return;
  throw new VnmError('conflict', same.map(({ text }) => text).join('\n'), { hint: oneMachineHint });
}

/** Where tunnel packets reach a node. */
export function endpointOf(agents: Agents, node: NodeName): string {
  const address = agents.address(node);
  return agents.slice.nodes.get(node)?.dataplane === 'userspace' ? `${address}:${agents.port(node)}` : address;
}

export interface MachineIdentity {
  readonly node: NodeName;
  readonly process: string | undefined;
  readonly address: string;
}

export const oneMachineHint =
  'list a machine as one node only; routers may share it with a gateway or an end host, but a gateway and an end host of one VN may not share it';

/** Describes each node that is the same machine as an earlier one. */
export function sameMachines(identities: readonly MachineIdentity[]): { node: NodeName; text: string }[] {
  return identities.flatMap(({ node, process, address }, index) => {
    const earlier = identities.slice(0, index);
    const byProcess = earlier.find((other) => process !== undefined && other.process === process);
    if (byProcess !== undefined) {
      return [
        { node, text: `nodes '${byProcess.node}' and '${node}' are the same machine: one agent answers for both` },
      ];
    }
    const byAddress = earlier.find((other) => other.address === address);
    if (byAddress === undefined) return [];
    return [{ node, text: `nodes '${byAddress.node}' and '${node}' have the same address ${address}` }];
  });
}
