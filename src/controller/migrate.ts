import { messageOf, VnmError } from '../model/errors.ts';
import type { Slice, VirtualNetwork } from '../model/slice.ts';
import { type Agents, hasFeature, requireNodes, withReachable } from './agents.ts';
import type { Context } from './context.ts';
import { withLock } from './lock.ts';
import { carryOut } from './migration/carry-out.ts';
import { chooseUrpf } from './migration/choose-urpf.ts';
import { optionsToJson } from './migration/journal.ts';
import { addInstance } from './migration/prepare.ts';
import { isGated, type MigrateOptions, type MigrateResult, type Recorded, type Run } from './migration/types.ts';
import { startPhases } from './phases.ts';
import { activeInstance, choosePlacement, edgeNodes, refuseUnfinished } from './resolve.ts';

export type { MigrateOptions, MigrateResult } from './migration/types.ts';

/**
 * Moves a VN to another placement: the paper's six steps (section III-D).
 *
 *     add nodes -> set up -> clone -> join gateways -> prove -> measure -> redirect -> verify -> drain -> retire   completed
 *                     \________\___________\____________\_________\___________\_________\
 *                                                                                  -> roll back   rolled-back | failed
 *
 * Until the redirection a failure takes the new instance away again; after it, the gateways are redirected back first. What is
 * interrupted is in the journal (migration/journal.ts). Nodes that only the old placement uses may be away: their routers are made
 * from the record. Throws only for what was wrong before anything was changed.
 */
export async function migrate(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions,
): Promise<MigrateResult> {
  choosePlacement(vn, options.to);
  refuseRemoteGates(options);
  const command = `migrate --to ${options.to}`;
  return withLock(context, { slice: slice.name, vn: vn.name, command }, () =>
    migrateLocked(context, slice, vn, options),
  );
}

async function migrateLocked(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions,
): Promise<MigrateResult> {
  const old = activeInstance(context.store, slice, vn);
  const to = { name: options.to, placement: choosePlacement(vn, options.to) };
  refuseUnfinished(context.store, slice, vn);
  refuseSame(slice, vn, old, options.to);
  const { mtu, urpf: urpfBefore } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...edgeNodes(vn), ...old.instance.placement.values(), ...to.placement.values()];
  context.report({ kind: 'phase', text: 'add nodes' });
  const startedAt = performance.now();
  return withReachable(context, slice, nodes, async (agents) => {
    requireNodes(agents, [...edgeNodes(vn), ...to.placement.values()]);
    const urpf = chooseUrpf(context, agents, vn, options.urpf);
    const gated = isGated(options);
    if (gated) refuseWithoutGates(agents, vn);
    const id = context.store.migrations.start({
      slice: slice.name,
      vn: vn.name,
      from: old.record.placementName,
      to: options.to,
      control: options.control,
      schedule: options.schedule,
      urpf,
      options: optionsToJson(options),
      urpfBefore,
      oldInstance: old.record.id,
    });
    const phases = startPhases(context, id, { name: 'add nodes', ms: performance.now() - startedAt });
    const run = { context, agents, slice, vn, old, to, urpf, gated, mtu, phases, id };
    return carryOut(run, addFirst(run), options, urpfBefore, 'before');
  });
}

/** Where there is no room for another instance, the migration ends before it has begun. */
function addFirst(run: Run & { readonly id: number }): Recorded {
  try {
    return addInstance(run);
  } catch (error) {
    run.context.store.migrations.finish(run.id, 'rolled-back', Date.now(), messageOf(error));
    throw error;
  }
}

/** A gate is opened as exactly as its gateway redirects; over SSH neither would be exact. */
export function refuseRemoteGates({ schedule, control }: Pick<MigrateOptions, 'schedule' | 'control'>): void {
  if (control === 'gateway' || (schedule !== 'hold' && schedule !== 'drain')) return;
  throw new VnmError('usage', `schedule '${schedule}' needs the redirections armed at the gateways`, {
    hint: 'take --control gateway',
  });
}

function refuseWithoutGates(agents: Agents, vn: VirtualNetwork): void {
  const lacking = vn.gateways.filter(({ node }) => !hasFeature(agents.get(node).facts, 'ifb-gate'));
  if (lacking.length === 0) return;
  throw new VnmError(
    'unsupported',
    `gateway ${lacking.map(({ name }) => name).join(', ')} cannot hold traffic: no ifb with tbf`,
    {
      hint: "take '--schedule optimal --urpf feasible', which needs no gates",
    },
  );
}

function refuseSame(slice: Slice, vn: VirtualNetwork, old: Recorded, to: string): void {
  if (old.record.placementName !== to) return;
  throw new VnmError('conflict', `VN '${vn.name}' of slice '${slice.name}' is on placement '${to}' already`, {
    hint: `its placements are ${[...vn.placements.keys()].join(', ')}`,
  });
}
