/**
 * Proves the paths between the new nodes of routers and their neighbours before any link is flipped: on a small
 * instance of its own, which has the routers on their new nodes, the neighbours where they are, and the links between
 * them.
 */
import { VnmError } from '../../model/errors.ts';
import { slotCount } from '../../model/room.ts';
import { type Instance, planInstance } from '../../planning/instance.ts';
import { afterMoves, neighbourhoodOf, type RouterMove, withinNeighbourhood } from '../../planning/neighbourhood.ts';
import type { Layout } from '../batches/batches.ts';
import { joinGateways } from '../batches/gateways.ts';
import { namespacesOf } from '../batches/operations.ts';
import { setUpRouters } from '../batches/routers.ts';
import { applyAll } from '../nodes/agents.ts';
import { measureTunnels, tunnelsOf } from '../probe/tunnel-sizes.ts';
import { removeFresh } from './finish.ts';
import { proveSizes } from './prove-sizes.ts';
import type { Recorded, Run } from './types.ts';

/**
 * Throws VnmError `failed` if a neighbour does not answer, `unsupported` if a path carries less than the VN's packets
 * and less than the present one.
 */
export async function tryPaths(run: Run, moves: readonly RouterMove[]): Promise<void> {
  await removeTrial(run);
  const { context, agents, slice, vn, old } = run;
  const routers = moves.map(({ router }) => router);
  const small = neighbourhoodOf(vn, routers);
  const moved = afterMoves(old.instance, moves).placement;
  const placement = new Map(small.routers.map(({ name }) => [name, moved.get(name)!]));
  const trial = context.store.instances.add(
    slice.name,
    vn.name,
    null,
    slotCount(slice),
    (slot) => planInstance(slice, small, placement, slot),
    (instance) => namespacesOf(small, instance, agents),
  );
  const layout: Layout = { ...run, vn: small };
  await applyAll(agents, setUpRouters(layout, trial.instance), context.signal);
  await applyAll(agents, joinGateways(layout, trial.instance), context.signal);
  const before: Recorded = { ...old, instance: withinNeighbourhood(old.instance, routers) };
  const silent = await silentLinks(run, trial.instance, before.instance);
  if (silent.length > 0) throw new VnmError('failed', `no packet gets through between ${silent.join('; between ')}`);
  await proveSizes({ ...run, vn: small, old: before }, trial.instance);
  await removeTrial(run);
}

/**
 * The tunnels of the trial where nothing answers although the present tunnel of the same link answers. Where neither
 * does, a policy or a firewall may forbid to ask.
 */
async function silentLinks({ agents, vn, mtu }: Run, trial: Instance, present: Instance): Promise<string[]> {
  const answers = async (instance: Instance) => {
    const tunnels = tunnelsOf(vn, instance, agents);
    const sizes = await measureTunnels(agents, tunnels, mtu);
    return tunnels.map(({ link, name }, index) => ({ link, name, answers: sizes[index]!.bytes !== undefined }));
  };
  const silent = (await answers(trial)).filter((one) => !one.answers);
  if (silent.length === 0) return [];
  const answering = (await answers(present)).filter((one) => one.answers).map(({ link }) => link);
  return silent.filter(({ link }) => answering.includes(link)).map(({ name }) => name);
}

/** Removes what is left of the trial, also of one that was interrupted. */
export async function removeTrial(run: Run): Promise<void> {
  const { context, slice, vn, old } = run;
  const { instances } = context.store;
  for (const record of instances.list({ slice: slice.name, vn: vn.name })) {
    if (record.id !== old.record.id) await removeFresh(run, { record, instance: instances.plan(record.id) });
  }
}
