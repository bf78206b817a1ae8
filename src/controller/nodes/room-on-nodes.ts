/** Whether the nodes have room for an instance, and are different machines: asked before anything is made. */

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

export interface PlacedVn {
  readonly vn: VirtualNetwork;
  readonly placement: Placement;
}

/**
 * Throws one VnmError `forbidden` that names every node whose policy allows less than the slice would have there with `added`, beside
 * what is recorded, and what to do.
 */
export function requireRoom({ store }: Pick<Context, 'store'>, agents: Agents, added: readonly PlacedVn[]): void {
  const { slice } = agents;
  const recorded = store.instances.list({ slice: slice.name }).flatMap(({ id, vn: name }): PlacedVn[] => {
    const vn = slice.vns.find((candidate) => candidate.name === name);
    if (vn === undefined) return [];
    const { placement, moving } = store.instances.plan(id);
    // A router that moves is on both of its nodes.
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
        const message = `slice '${slice.name}' would have ${needed} ${kind}${there}, its policy there allows ${limit}`;
        return [node, new VnmError('forbidden', message, { hint: howToRaise(slice, node, facts, kind, needed) })];
      });
    });
  const error = combineByNode(failures);
  if (error !== undefined) throw error;
}

/** What each instance takes, and what the VNs have next to their instances. */
function demandOf(placed: readonly PlacedVn[], node: NodeName): Demand {
  const vns = new Map(placed.map(({ vn }) => [vn.name, vn]));
  return addDemand(
    ...placed.map(({ vn, placement }) => instanceDemand(vn, placement, node)),
    ...[...vns.values()].map((vn) => accessDemand(vn, node)),
  );
}

/** Which migrations the policy of a node stands in the way of, with what to do; empty where none. */
export function tooLittleRoom(slice: Slice, node: NodeName, facts: NodeFacts): string[] {
  const demand = largestDemand(slice, node);
  const kinds = exceeded(demand, facts.policy.limits);
  return kinds.map(({ kind, needed, limit }) => {
    const text = `its policy allows ${limit} ${kind}, a migration may need ${needed}`;
    return `${text} (${howToRaise(slice, node, facts, kind, needed)})`;
  });
}

/** Notes what a later migration will not have room for. */
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
 * Throws VnmError `conflict` where two nodes are one machine: their tunnels would meet in one network stack. A machine is
 * recognized by the slice's agent, of which it has one, and by its address.
 */
export function refuseOneMachine(agents: Agents): void {
  const nodes = agents.nodes();
  const identities = nodes.map((node) => ({
    node,
    process: agents.get(node).facts.agent.process,
    address: agents.address(node),
  }));
  const same = sameMachines(identities);
  if (same.length === 0) return;
  throw new VnmError('conflict', same.map(({ text }) => text).join('\n'), { hint: oneMachineHint });
}

export interface MachineIdentity {
  readonly node: NodeName;
  readonly process: string | undefined;
  readonly address: string;
}

export const oneMachineHint =
  'one machine is one node: routers may share it with a gateway or an end host under one name, a gateway and an end host of one VN may not';

/** Each node that is the same machine as one before it. */
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
