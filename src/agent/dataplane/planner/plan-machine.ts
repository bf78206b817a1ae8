/** The virtual machines of router namespaces. */
import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../../../model/errors.ts';
import type { Machine } from '../../../vsys/machine.ts';
import type { Draft } from './draft.ts';
import { checkLimit, conflict, type Named, requireLink, requireStack } from './plan-common.ts';
import { ruleNames } from './ports.ts';
import { describePlace } from './state.ts';

/**
 * The guest has the addresses of the router's links, and the namespace none. A machine that failed is started once
 * more.
 */
export function machineUp(draft: Draft, { op: _, namespace, state, incoming, ...machine }: Named<'machine_up'>): void {
  requireStack(draft, namespace);
  for (const { interface: name } of machine.ports) {
    const place = { namespace, name };
    const link = requireLink(draft, place);
    if (link.addresses.length > 0)
      throw conflict(
        `${describePlace(place)} has an address, which the machine should have`,
        'remove it with vif_down',
      );
    if (!link.up) draft.changeLink(place, { up: true });
  }
  const existing = draft.machines.get(namespace);
  if (existing === undefined) checkLimit(draft, 'machines', draft.machines.size);
  checkMemory(draft, namespace, machine);
  const isSame = existing !== undefined && existing.state !== 'failed' && isDeepStrictEqual(existing.machine, machine);
  if (!isSame) {
    takePortsDown(draft, namespace);
    draft.putMachine(namespace, machine, incoming);
  }
  const wanted = { ports: machine.ports, state };
  if (!isDeepStrictEqual(draft.stacks.get(namespace)!.portRules ?? [], ruleNames(wanted)))
    draft.putPorts(namespace, wanted);
}

export function machineDown(draft: Draft, { namespace }: Named<'machine_down'>): void {
  takeMachineDown(draft, namespace);
}

/** Ends a machine, after its links have been parted from it. */
export function takeMachineDown(draft: Draft, namespace: string): void {
  takePortsDown(draft, namespace);
  if (draft.machines.has(namespace)) draft.removeMachine(namespace);
}

function takePortsDown(draft: Draft, namespace: string): void {
  if (draft.stacks.get(namespace)?.portRules !== undefined) draft.putPorts(namespace, undefined);
}

function checkMemory(draft: Draft, namespace: string, { memoryMib }: Machine): void {
  const { slice, limits } = draft.policy;
  const others = [...draft.machines].filter(([name]) => name !== namespace);
  const used = others.reduce((sum, [, { machine }]) => sum + machine.memoryMib, 0);
  if (used + memoryMib <= limits.machineMib) return;
  throw new VnmError(
    'forbidden',
    `slice '${slice}' may have machines with ${limits.machineMib} MiB of memory on this node: ${used} MiB are taken, requested: ${memoryMib}`,
    { hint: 'give the routers less memory, or place them on other nodes' },
  );
}
