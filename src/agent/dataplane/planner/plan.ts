/**
 * Plans a batch of operations for a given state. Pure: the same operations on the resulting state need no change.
 * Throws VnmError `conflict` if an operation contradicts what exists or removes what is in use, `not-found` if it needs
 * what does not exist, `invalid-input` if it makes no sense, `forbidden` beyond the policy's limits.
 */
import type { Operation, OperationName, OperationResult } from '../../../vsys/operations.ts';
import type { Policy } from '../../../vsys/policy.ts';
import type { Command } from './commands.ts';
import { Draft } from './draft.ts';
import type { Named } from './plan-common.ts';
import { controlDown, controlUp } from './plan-control.ts';
import { daemonDown, daemonLeave, daemonUp } from './plan-daemon.ts';
import { concernsInterfaces, isProtected, protectHeard, protectInterfaces } from './plan-filter.ts';
import { forwardDown, forwardUp } from './plan-forward.ts';
import { gateDown, gateUp } from './plan-gate.ts';
import { machineDown, machineUp } from './plan-machine.ts';
import { netnsDown, netnsUp } from './plan-namespace.ts';
import { groupDown, groupUp, nexthopDown, nexthopUp } from './plan-nexthop.ts';
import { ruleDown, ruleUp, vroute } from './plan-route.ts';
import { tunnelDown, tunnelUp } from './plan-tunnel.ts';
import { vifDown, vifUp } from './plan-vif.ts';
import type { KernelState } from './state.ts';

export interface Plan {
  readonly results: OperationResult[];
  /** In order; to undo them, run their inverses in reverse order. */
  readonly commands: readonly Command[];
  readonly state: KernelState;
}

type Planner<Name extends OperationName> = (draft: Draft, operation: Named<Name>) => void;

const planners: { readonly [Name in OperationName]: Planner<Name> } = {
  netns_up: netnsUp,
  netns_down: netnsDown,
  tunnel_up: tunnelUp,
  tunnel_down: tunnelDown,
  vif_up: vifUp,
  vif_down: vifDown,
  vroute,
  vroutes: vroute,
  nexthop_up: nexthopUp,
  nexthop_down: nexthopDown,
  group_up: groupUp,
  group_down: groupDown,
  rule_up: ruleUp,
  rule_down: ruleDown,
  gate_up: gateUp,
  gate_down: gateDown,
  forward_up: forwardUp,
  forward_down: forwardDown,
  daemon_up: daemonUp,
  daemon_down: daemonDown,
  daemon_leave: daemonLeave,
  control_up: controlUp,
  control_down: controlDown,
  machine_up: machineUp,
  machine_down: machineDown,
};

/**
 * With `repair` what contradicts an operation is replaced, and what uses it is removed, for later operations to
 * restore.
 */
export function planOperations(
  state: KernelState,
  operations: readonly Operation[],
  policy: Policy,
  repair = false,
): Plan {
  const draft = new Draft(state, policy, repair);
  const results = operations.map((operation): OperationResult => {
    const before = draft.changes;
    (planners[operation.op] as Planner<OperationName>)(draft, operation);
    const isChanged = draft.changes > before || lacksFilter(state, operation);
    return { op: operation.op, status: isChanged ? 'changed' : 'unchanged' };
  });
  if (operations.some(concernsInterfaces)) protectInterfaces(draft, operations, state);
  return { results, commands: draft.commands, state: draft };
}

/** Plans what to do when watched tunnels have been heard. */
export function planHeard(state: KernelState, policy: Policy): Omit<Plan, 'results'> {
  const draft = new Draft(state, policy, true);
  protectHeard(draft, state);
  return { commands: draft.commands, state: draft };
}

/** Whether the operation names a tunnel that also accepts packets from others. */
function lacksFilter({ filter }: KernelState, operation: Operation): boolean {
  return operation.op === 'tunnel_up' && operation.kind === 'vxlan' && !isProtected(filter, operation);
}
