import { refuseKernelForwards, refuseUserspaceDaemons } from '../model/dataplane.ts';
import { VnmError } from '../model/errors.ts';
import { sliceIds } from '../model/ids.ts';
import { slotCount } from '../model/room.ts';
import type { UrpfMode } from '../model/route.ts';
import { hasImages, isImageRouter } from '../model/router.ts';
import { describePlacement, isSamePlacement, type Placement, type Slice, type VirtualNetwork } from '../model/slice.ts';
import { type Instance, planInstance } from '../planning/instance.ts';
import { computeRoutes } from '../planning/routes.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { InstanceRecord } from '../store/instances.ts';
import type { NodeObstacle } from '../vsys/obstacle.ts';
import { type Context, signalOption } from './base/context.ts';
import { withLock } from './base/lock.ts';
import { choosePlacement, edgeNodes, placementOf } from './base/resolve.ts';
import { describeUnfinished, recoveryHint } from './base/unfinished.ts';
import { desiredBatches } from './batches/desired.ts';
import { leftOvers } from './batches/left-overs.ts';
import { namespacesOf } from './batches/operations.ts';
import { type Agents, applyAll, countChanges, withAgents } from './nodes/agents.ts';
import { refuseCollisions } from './nodes/collisions.ts';
import { provideImages, requireMachines } from './nodes/images.ts';
import { obstaclesOn, reportObstacles } from './nodes/obstacles.ts';
import { noteTooLittleRoom, type PlacedVn, refuseOneMachine, requireRoom } from './nodes/room-on-nodes.ts';
import { noteUnfiltered } from './nodes/unfiltered.ts';
import { applyWithMtu } from './probe/apply-with-mtu.ts';
import { tunnelMtu } from './probe/mtu.ts';
import { accessTunnels, tunnelsOf } from './probe/tunnel-sizes.ts';
import { awaitWays, hasDaemons } from './routing/converge.ts';
import { awaitGuests, awaitPackets } from './routing/guests.ts';
import { uninstallVn } from './uninstall.ts';

export interface InstallOptions {
  /** Name of the placement. */
  readonly placement: string;
  readonly urpf: UrpfMode;
  /** One VN of the slice; if absent, all. */
  readonly vn?: string;
}

export interface InstallResult {
  readonly slice: string;
  readonly vn: string;
  readonly placement: string;
  /** How many operations changed something; 0 when everything was there already. */
  readonly changed: number;
  readonly nodes: number;
  readonly mtu: number;
  readonly durationMs: number;
  /** What on the nodes blocks packets without belonging to the slice; absent if nothing does. */
  readonly obstacles?: readonly NodeObstacle[];
}

/**
 * Sets up a slice's VNs on a placement. Every node gets one batch, all in parallel. Repeating it changes nothing. On a
 * failure, takes down what it made. Throws `conflict` when a VN is installed on another placement.
 */
export async function install(context: Context, slice: Slice, options: InstallOptions): Promise<InstallResult[]> {
  const vns = options.vn === undefined ? slice.vns : slice.vns.filter((vn) => vn.name === options.vn);
  const placements = vns.map((vn) => choosePlacement(vn, options.placement));
  const nodes = vns.flatMap((vn, index) => [...edgeNodes(vn), ...placements[index]!.values()]);
  context.report({ kind: 'phase', text: `connect to ${new Set(nodes).size} nodes` });
  const work = (locked: Context) =>
    withAgents(locked, slice, nodes, async (agents) => {
      // Only now is it known that there is a testbed, whose data plane the nodes without a host have.
      for (const vn of vns) {
        refuseKernelForwards(slice, vn);
        refuseUserspaceDaemons(slice, vn);
      }
      for (const [index, { routers }] of vns.entries()) {
        for (const { name } of routers.filter(isImageRouter)) requireMachines(agents, placements[index]!.get(name)!);
      }
      await refuseUnrecorded(context, agents, slice);
      refuseOneMachine(agents);
      requireRoom(context, agents, unrecorded(context, slice, vns, placements));
      noteTooLittleRoom(context, agents);
      noteUnfiltered(context, agents, agents.nodes());
      await refuseCollisions(agents, agents.nodes(), context.signal);
      const obstacles = (await obstaclesOn(context, agents, agents.nodes())).filter(({ blocks }) => blocks);
      reportObstacles(context, obstacles);
      const results: InstallResult[] = [];
      for (const [index, vn] of vns.entries()) {
        context.report({ kind: 'phase', text: `install VN '${vn.name}' on placement '${options.placement}'` });
        const result = await installVn(context, agents, slice, vn, placements[index]!, options);
        results.push(obstacles.length === 0 ? result : { ...result, obstacles });
      }
      return results;
    });
  return withLock(context, { slice: slice.name, vn: options.vn, command: 'install' }, work);
}

function unrecorded(
  { store }: Context,
  slice: Slice,
  vns: readonly VirtualNetwork[],
  placements: readonly Placement[],
): PlacedVn[] {
  const placed = vns.map((vn, index) => ({ vn, placement: placements[index]! }));
  return placed.filter(({ vn }) => store.instances.list({ slice: slice.name, vn: vn.name }).length === 0);
}

/**
 * If nothing of the slice is recorded, nothing of it may be on the nodes: another database may have a VN there that
 * carries traffic.
 */
async function refuseUnrecorded({ store, signal }: Context, agents: Agents, slice: Slice): Promise<void> {
  if (store.instances.list({ slice: slice.name }).length > 0) return;
  const { interfacePrefix } = sliceIds(slice);
  const unknown = await Promise.all(
    agents.nodes().map(async (node) => {
      const inventory = await agents.get(node).call('inventory', {}, signalOption({ signal }));
      return leftOvers(inventory, [], interfacePrefix).removal.length > 0 ? [node] : [];
    }),
  );
  const found = unknown.flat();
  if (found.length === 0) return;
  throw new VnmError(
    'conflict',
    `node '${found.join("', '")}' has parts of slice '${slice.name}' that are not in the database ${store.path}`,
    {
      hint: `if another database installed them, name it with --db; if it is lost, run pl-vnm reconcile ${slice.name} to remove them`,
    },
  );
}

async function installVn(
  context: Context,
  agents: Agents,
  slice: Slice,
  vn: VirtualNetwork,
  placement: Placement,
  options: InstallOptions,
): Promise<InstallResult> {
  const startedAt = performance.now();
  const [unfinished] = context.store.migrations.unfinished(slice.name, vn.name);
  if (unfinished !== undefined) {
    throw new VnmError('conflict', describeUnfinished(unfinished), { hint: recoveryHint(slice.name) });
  }
  const { record, instance, isNew } = recordInstance(context, agents, slice, vn, placement, options.placement);
  try {
    const plan = planVn(slice, vn);
    const { access } = plan;
    const settings = context.store.instances.settings(slice.name, vn.name);
    const urpf = settings?.urpf ?? options.urpf;
    const routes = computeRoutes(vn, instance, access);
    const batchesWith = (mtu: number) =>
      desiredBatches({ ...plan, names: agents, mtu, urpf }, { instances: [{ instance, routes }], active: instance });
    const tunnels = [...tunnelsOf(vn, instance, agents), ...accessTunnels(access)];
    const { mtu, changed } = await applyWithMtu(context, agents, vn, tunnels, settings?.mtu, {
      room: (largest) => tunnelMtu(agents, instance, access, largest),
      apply: async (mtu) => {
        const batches = batchesWith(mtu);
        await provideImages(context, agents, batches);
        const changes = countChanges(await applyAll(agents, batches, context.signal));
        // Only guests that run answer test packets.
        await awaitGuests(context, agents, vn, instance);
        return changes;
      },
    });
    context.store.instances.setSettings(slice.name, vn.name, { mtu, urpf });
    // An active instance already has its routes, perhaps cloned by a migration.
    if (record.state !== 'active') context.store.instances.saveRoutes(record.id, routes);
    context.store.instances.setState(record.id, 'active');
    if (hasImages(vn)) await awaitPackets(context, agents, plan, instance, 'end hosts');
    else if (hasDaemons(vn)) await awaitWays(context, agents, plan, instance);
    if (changed > 0)
      context.store.events.add(slice.name, 'installed', `VN '${vn.name}' on placement '${options.placement}'`);
    const durationMs = performance.now() - startedAt;
    return {
      slice: slice.name,
      vn: vn.name,
      placement: options.placement,
      changed,
      nodes: batchesWith(mtu).size,
      mtu,
      durationMs,
    };
  } catch (error) {
    if (isNew) await uninstallVn(context, agents, slice, vn);
    throw error;
  }
}

/** Returns the VN's instance: the one recorded for this placement, complete or not, or a new record. */
function recordInstance(
  context: Context,
  agents: Agents,
  slice: Slice,
  vn: VirtualNetwork,
  placement: Placement,
  placementName: string,
): { record: InstanceRecord; instance: Instance; isNew: boolean } {
  const { instances } = context.store;
  const [existing] = instances.list({ slice: slice.name, vn: vn.name });
  if (existing === undefined) {
    const plan = (slot: number) => planInstance(slice, vn, placement, slot);
    const namespaces = (instance: Instance) => namespacesOf(vn, instance, agents);
    const added = instances.add(slice.name, vn.name, placementName, slotCount(slice), plan, namespaces);
    return { ...added, isNew: true };
  }
  const installed = instances.plan(existing.id);
  if (!isSamePlacement(installed.placement, placement)) {
    throw new VnmError(
      'conflict',
      `VN '${vn.name}' of slice '${slice.name}' is installed on placement ${describePlacement(placementOf({ record: existing, instance: installed }))}`,
      {
        hint: `run pl-vnm migrate ${slice.name} --to ${placementName}, or uninstall it first`,
      },
    );
  }
  return { record: existing, instance: installed, isNew: false };
}
