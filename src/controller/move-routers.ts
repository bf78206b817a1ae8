/** Moves single routers of a VN to other nodes (method `vroom`), and continues such migrations. */
import { VnmError } from '../model/errors.ts';
import { daemonRouter, routerNames } from '../model/router.ts';
import {
  isSamePlacement,
  type NamedPlacement,
  type Placement,
  type Slice,
  type VirtualNetwork,
} from '../model/slice.ts';
import { routerNodes } from '../planning/instance.ts';
import { neighbourhoodOf, orderMoves, type RouterMove } from '../planning/neighbourhood.ts';
import { planVn } from '../planning/vn-plan.ts';
import type { MigrationRecord } from '../store/migrations.ts';
import type { Context } from './base/context.ts';
import { activeInstance, choosePlacement, edgeNodes, refuseUnfinished } from './base/resolve.ts';
import { refuseDamage } from './migration/damage.ts';
import { optionsOf, optionsToJson } from './migration/journal.ts';
import { carryOutMoves, type Direction } from './migration/moves.ts';
import { recordStart, startPhases } from './migration/phases.ts';
import { proveBefore } from './migration/proof.ts';
import { unchanged } from './migration/result.ts';
import type { MigrateOptions, MigrateResult, Run } from './migration/types.ts';
import { requireNodes, withReachable } from './nodes/agents.ts';
import { refuseOneMachine, requireRoom } from './nodes/room-on-nodes.ts';

/** Called with the VN locked. Throws VnmError only before anything was changed. */
export async function moveRouters(
  context: Context,
  slice: Slice,
  vn: VirtualNetwork,
  options: MigrateOptions,
): Promise<MigrateResult> {
  const old = activeInstance(context.store, slice, vn);
  const words = `migrate ${slice.name} --method vroom${options.router === undefined ? '' : ` --router ${options.router}`} --to ${options.to}`;
  refuseUnfinished(context.store, slice, vn, `; or run pl-vnm ${words} --resume-first`);
  const to = destinationOf(slice, vn, old.instance.placement, options);
  if (isSamePlacement(old.instance.placement, to.placement))
    return unchanged(context, slice, vn, { ...options, to: to.name });
  const moves = orderMoves(vn, old.instance, to.placement);
  refuseDaemons(vn, moves);
  const { mtu, urpf } = context.store.instances.settings(slice.name, vn.name)!;
  const nodes = [...edgeNodes(vn), ...routerNodes(old.instance), ...to.placement.values()];
  context.report({ kind: 'phase', text: 'add nodes' });
  const startedAt = performance.now();
  return withReachable(context, slice, nodes, async (agents) => {
    requireNodes(agents, nodes);
    refuseOneMachine(agents);
    for (const move of moves) requireRoom(context, agents, demandsOf(vn, old.instance.placement, move));
    await refuseDamage({ context, agents, slice, vn, old }, words, options.repairFirst === true);
    const plan = planVn(slice, vn);
    const baseline = await proveBefore({ ...plan, context, agents, old, mtu });
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
      options: optionsToJson(withoutDestination(options)),
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
  const settled = [...old.instance.placement].filter(([router]) => old.instance.moving?.has(router) !== true);
  const needed = [...edgeNodes(vn), ...goal.values(), ...settled.map(([, node]) => node)];
  const nodes = [...needed, ...routerNodes(old.instance)];
  const { mtu } = instances.settings(slice.name, vn.name)!;
  context.report({ kind: 'phase', text: `connect to ${new Set(nodes).size} nodes` });
  return withReachable(context, slice, nodes, (agents) => {
    requireNodes(agents, needed);
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
    const options = { ...optionsOf(record), traffic: false };
    const reason = new VnmError('rolled-back', `it was interrupted (${record.state})`);
    return carryOutMoves(run, options, direction, direction === 'back' ? reason : undefined);
  });
}

/** Throws VnmError `unsupported` for a router with a routing daemon: its control plane cannot move yet. */
function refuseDaemons(vn: VirtualNetwork, moves: readonly RouterMove[]): void {
  const router = moves.map((move) => daemonRouter(vn, move.router)).find((one) => one !== undefined);
  if (router === undefined) return;
  throw new VnmError('unsupported', `router '${router.name}' runs ${router.kind}, which method vroom does not move`, {
    hint: 'use --method instance',
  });
}

/** What a move needs beyond what is there: the router's second place, and the trial of its paths. */
function demandsOf(vn: VirtualNetwork, placement: Placement, { router, to }: RouterMove) {
  const small = neighbourhoodOf(vn, router);
  const trial = new Map(routerNames(small).map((name) => [name, name === router ? to : placement.get(name)!]));
  return [
    { vn: small, placement: new Map([[router, to]]) },
    { vn: small, placement: trial },
  ];
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
  const placement = new Map([...present].map(([name, node]) => [name, name === router ? to : node]));
  const name = [...vn.placements].find(([, other]) => isSamePlacement(other, placement))?.[0] ?? null;
  return { name, placement };
}

/** The journal has the placements themselves. */
function withoutDestination({ to: _, router: __, ...options }: MigrateOptions) {
  return options;
}
