import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import {
  describePlacement,
  type NamedPlacement,
  namesPlacement,
  type Placement,
  type Slice,
  type VirtualNetwork,
} from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import type { InstanceRecord } from '../../store/instances.ts';
import type { Store } from '../../store/store.ts';
import { describeUnfinished, recoveryHint } from './unfinished.ts';

/** Returns the named VN, or the only one if there is no name. */
export function chooseVn(slice: Slice, name: string | undefined): VirtualNetwork {
  const names = slice.vns.map((vn) => vn.name).join(', ');
  if (name === undefined) {
    const [only, ...others] = slice.vns;
    if (only !== undefined && others.length === 0) return only;
    throw new VnmError('usage', `slice '${slice.name}' has several VNs (${names})`, {
      hint: 'select one with --vn NAME',
    });
  }
  const vn = slice.vns.find((candidate) => candidate.name === name);
  if (vn === undefined)
    throw new VnmError('not-found', `slice '${slice.name}' has no VN '${name}'`, { hint: `its VNs are ${names}` });
  return vn;
}

export function choosePlacement(vn: VirtualNetwork, name: string): Placement {
  const placement = vn.placements.get(name);
  if (placement !== undefined) return placement;
  throw new VnmError('not-found', `VN '${vn.name}' has no placement '${name}'`, {
    hint: `its placements are ${[...vn.placements.keys()].join(', ')}`,
  });
}

/** Whether the VN is on the placement that has that name in the slice now. */
export function isOn(store: Store, slice: Slice, vn: VirtualNetwork, name: string): boolean {
  return namesPlacement(vn, name, activeInstance(store, slice, vn).instance.placement);
}

/** The placement that an instance is on, with its recorded name. */
export function placementOf({ record, instance }: { record: InstanceRecord; instance: Instance }): NamedPlacement {
  return { name: record.placementName, placement: instance.placement };
}

/** Returns the active instance with its record. Throws VnmError `not-found` when the VN is not installed. */
export function activeInstance(
  store: Store,
  slice: Slice,
  vn: VirtualNetwork,
): { record: InstanceRecord; instance: Instance } {
  const record = store.instances.active(slice.name, vn.name);
  if (record === undefined) {
    throw new VnmError('not-found', `VN '${vn.name}' of slice '${slice.name}' is not installed`, {
      hint: `run pl-vnm install ${slice.name}`,
    });
  }
  return { record, instance: store.instances.plan(record.id) };
}

/** The nodes of the gateways and end hosts, which are the same on every placement. */
export function edgeNodes(vn: VirtualNetwork): NodeName[] {
  return [...vn.gateways, ...vn.endHosts].map((place) => place.node);
}

/** A hint for a VN that has instances, but no active one. */
export function installOrUninstall({ name }: Slice): string {
  return `run pl-vnm install ${name} or pl-vnm uninstall ${name} again`;
}

/**
 * Throws VnmError `conflict` while a migration of the VN is unfinished, or an instance is neither active nor removed.
 * Call it with the lock held, so that what is unfinished was interrupted. `orElse`: text to append to the hint.
 */
export function refuseUnfinished(store: Store, slice: Slice, vn: VirtualNetwork, orElse = ''): void {
  const [migration] = store.migrations.unfinished(slice.name, vn.name);
  if (migration !== undefined) {
    throw new VnmError('conflict', describeUnfinished(migration), { hint: `${recoveryHint(slice.name)}${orElse}` });
  }
  const unfinished = store.instances.list({ slice: slice.name, vn: vn.name }).find(({ state }) => state !== 'active');
  if (unfinished === undefined) {
    refuseMoving(store, slice, vn);
    return;
  }
  const isHalf = store.instances.active(slice.name, vn.name) === undefined;
  throw new VnmError(
    'conflict',
    `VN '${vn.name}' of slice '${slice.name}' has an unfinished instance on placement ${describePlacement(placementOf({ record: unfinished, instance: store.instances.plan(unfinished.id) }))}`,
    {
      hint: `an earlier command was interrupted; ${isHalf ? installOrUninstall(slice) : `run pl-vnm rollback ${slice.name} to remove the instance`}`,
    },
  );
}

function refuseMoving(store: Store, slice: Slice, vn: VirtualNetwork): void {
  const active = store.instances.active(slice.name, vn.name);
  const moving = active === undefined ? undefined : store.instances.plan(active.id).moving;
  if (moving === undefined) return;
  const routers = [...moving].map(([router, node]) => `router '${router}' is moving to node '${node}'`).join(', ');
  throw new VnmError('conflict', `VN '${vn.name}' of slice '${slice.name}': ${routers}; the move was interrupted`, {
    hint: recoveryHint(slice.name),
  });
}
