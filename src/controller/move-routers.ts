/** Moves routers of a VN to other nodes (`movesRouters` in base/phase.ts), and continues such migrations. */
import { VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';
import { routerNames } from '../model/router.ts';
import {
  isSamePlacement,
  type NamedPlacement,
  type Placement,
  type Slice,
  type VirtualNetwork,
} from '../model/slice.ts';
import { type Instance, routerNodes } from '../planning/instance.ts';
import { groupMoves } from '../planning/neighbourhood.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { MigrationRecord } from '../store/migrations.ts';
import type { Context } from './base/context.ts';
import { type RouterMethod, stageOf } from './base/phase.ts';
import { activeInstance, choosePlacement, edgeNodes, refuseUnfinished } from './base/resolve.ts';
import { checkMoves, nodesOfMoves, refuseKinds } from './migration/check-moves.ts';
import { repairDamage } from './migration/damage.ts';
import { examine } from './migration/examine.ts';
import { hasBaseline, optionsOf, optionsToJson } from './migration/journal.ts';
import { carryOutMoves, type Direction } from './migration/moves.ts';
import { recordStart, startPhases } from './migration/phases.ts';
import { recordBaseline } from './migration/proof.ts';
import { unchanged } from './migration/result.ts';
import type { MigrateOptions, MigrateResult, Run } from './migration/types.ts';
import { type Agents, requireNodes, withReachable } from './nodes/agents.ts';

/** Called with the VN locked. Throws VnmError only before anything was changed. */
export async function moveRouters(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions & { readonly method: RouterMethod },
): Promise<MigrateResult> {
  const old = activeInstance(context.store, slice, vn);
  const words = moveCommand(slice, options);
  refuseUnfinished(context.store, slice, vn, `; or run pl-vnm ${words} --resume-first`);
  const to = destinationOf(slice, vn, old.instance.placement, options);
  if (isSamePlacement(old.instance.placement, to.placement))
    return unchanged(context, slice, vn, { ...options, to: to.name });
  const groups = groupMoves(vn, old.instance, to.placement, options.parallel);
  refuseKinds(vn, groups, options.method);
  const { mtu, urpf } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...nodesOfMoves(vn, old.instance, groups), ...routerNodes(old.instance)];
  context.report({ kind: 'phase', text: 'add nodes' });
  const startedAt = performance.now();
  return withReachable(context, slice, nodes, async (agents) => {
    const { ways, refusals } = checkMoves(context, agents, vn, old.instance, groups, options);
    if (refusals[0] !== undefined) throw refusals[0];
    const plan = planVn(slice, vn);
    const baseline = await examine({ ...plan, context, agents, old, mtu }, words, options);
    const id = context.store.migrations.start({
      slice: slice.name,
      vn: vn.name,
      from: old.record.placementName,
      to: to.name,
      fromNodes: Object.fromEntries(old.instance.placement),
      toNodes: Object.fromEntries(to.placement),
      control: options.control,
      schedule: options.schedule,
      urpf,
      options: optionsToJson({ ...withoutDestination(options), controlPlanes: Object.fromEntries(ways) }),
      urpfBefore: urpf,
      oldInstance: old.record.id,
    });
    recordStart(context, id);
    const phases = startPhases(context, id, { name: 'add nodes', ms: performance.now() - startedAt });
    context.store.migrations.progress(id, { baseline });
    const run: Run = { ...plan, context, agents, names: agents, old, to, urpf, gated: false, mtu, phases, id };
    return carryOutMoves(run, options, 'forth');
  });
}

/** The migration, as the user types it. */
export function moveCommand(
  { name }: Slice,
  { router, to, method, suspend }: Pick<MigrateOptions, 'router' | 'to' | 'method' | 'suspend'>,
): string {
  const how = suspend === true ? `${method} --suspend` : method;
  return `migrate ${name} --method ${how}${router === undefined ? '' : ` --router ${router}`} --to ${to}`;
}

/**
 * Continues an interrupted migration in one of the directions. Called with the VN locked. Throws VnmError `unreachable`
 * while a node that it needs is unreachable; then it has changed nothing.
 */
export async function continueMoves(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  record: MigrationRecord,
  direction: Direction,
): Promise<MigrateResult> {
  const { instances } = context.store;
  const old = activeInstance(context.store, slice, vn);
  const [from, final] = [record.fromNodes!, record.toNodes!].map((nodes) => new Map(Object.entries(nodes)));
  const to = { name: record.to, placement: final! };
  const goal = direction === 'forth' ? final! : from!;
  // The place that an interrupted move leaves may be gone for good.
  const isBefore = stageOf(record) === 'before';
  const settled = [...old.instance.placement].filter(
    ([router]) => old.instance.moving?.has(router) !== true || (isBefore && direction === 'forth'),
  );
  const needed = [...edgeNodes(vn), ...goal.values(), ...settled.map(([, node]) => node)];
  // A migration that cannot go on turns round.
  const nodes = [...needed, ...from!.values(), ...final!.values(), ...routerNodes(old.instance)];
  const { mtu } = instances.settings(slice.name, vn.name)!;
  context.report({ kind: 'phase', text: `connect to ${new Set(nodes).size} nodes` });
  return withReachable(context, slice, nodes, async (agents) => {
    requireReachable(agents, needed, slice, old.instance);
    // Requests of the interrupted command that are still under way must not change what this one finds.
    agents.claim();
    const phases = startPhases(context, record.id);
    const { urpf, id } = record;
    const run: Run = {
      ...planVn(slice, vn),
      context,
      agents,
      names: agents,
      old,
      to,
      urpf,
      gated: false,
      mtu,
      phases,
      id,
    };
    if (stageOf(record) !== 'retiring') await repairDamage(run);
    if (!hasBaseline(record)) await recordBaseline(run);
    const options = { ...optionsOf(record), traffic: false };
    const reason = new VnmError('rolled-back', `it was interrupted (${record.state})`);
    return carryOutMoves(run, options, direction, direction === 'back' ? reason : undefined);
  });
}

/** Throws as `requireNodes`; while no router is on two nodes, with a way out. */
function requireReachable(agents: Agents, nodes: readonly NodeName[], slice: Slice, { moving }: Instance): void {
  try {
    requireNodes(agents, nodes);
  } catch (error) {
    if (moving !== undefined || !(error instanceof VnmError)) throw error;
    throw new VnmError(error.code, error.message, {
      hint: `or leave the routers where they are now: run pl-vnm migrate ${slice.name} --to PLACEMENT --method instance --resume-first`,
      cause: error,
    });
  }
}

/** Throws VnmError `not-found` for an unknown placement, router or node. */
export function destinationOf(
  slice: Slice,
  vn: VirtualNetwork,
  present: Placement,
  { router, to }: Pick<MigrateOptions, 'router' | 'to'>,
): NamedPlacement {
  if (router === undefined) return { name: to, placement: choosePlacement(vn, to) };
  if (!present.has(router)) {
    throw new VnmError('not-found', `VN '${vn.name}' has no router '${router}'`, {
      hint: `its routers are ${routerNames(vn).join(', ')}`,
    });
  }
  if (!slice.nodes.has(to)) {
    throw new VnmError('not-found', `slice '${slice.name}' has no node '${to}'`, {
      hint: `its nodes are ${[...slice.nodes.keys()].join(', ')}`,
    });
  }
  const plane = (node: NodeName) => slice.nodes.get(node)?.dataplane ?? 'kernel';
  if (plane(to) !== plane(present.get(router)!)) {
    throw new VnmError(
      'unsupported',
      `node '${to}' has the ${plane(to)} data plane, unlike the other nodes of the VN`,
      {
        hint: 'choose a node with the same data plane',
      },
    );
  }
  const placement = new Map([...present].map(([name, node]) => [name, name === router ? to : node]));
  const name = [...vn.placements].find(([, other]) => isSamePlacement(other, placement))?.[0] ?? null;
  return { name, placement };
}

/** The journal has the placements themselves. */
function withoutDestination({ to: _, router: __, ...options }: MigrateOptions) {
  return options;
}
