/** What must hold before routers move (`movesRouters` in base/phase.ts). */
import { VnmError } from '../../model/errors.ts';
import type { NodeName, RouterName } from '../../model/names.ts';
import { imageRouter, isSwitch, routerNames } from '../../model/router.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { afterMoves, neighbourhoodOf, neighbourNodes, type RouterMove } from '../../planning/neighbourhood.ts';
import type { Context } from '../base/context.ts';
import type { RouterMethod } from '../base/phase.ts';
import { edgeNodes } from '../base/resolve.ts';
import { type Agents, requireNodes } from '../nodes/agents.ts';
import { requireMachines } from '../nodes/images.ts';
import { requireSteering } from '../nodes/programs.ts';
import { type PlacedVn, refuseOneMachine, requireRoom } from '../nodes/room-on-nodes.ts';
import { checkFollowing } from './control-packets.ts';
import { chooseWays } from './control-planes/index.ts';
import type { ControlPlaneName } from './control-planes/names.ts';
import type { MigrationOptions } from './options.ts';

/** The routers of a group move at the same time. */
type Groups = readonly (readonly RouterMove[])[];

/** Throws VnmError `unsupported` where the method is not for the kind of a router that moves. */
export function refuseKinds(vn: VirtualNetwork, groups: Groups, method: RouterMethod): void {
  for (const { router } of groups.flat()) {
    const fault = unfit(vn, router, method);
    if (fault !== undefined) throw new VnmError('unsupported', fault.why, { hint: fault.hint });
  }
}

/** A virtual machine moves with its memory, since what it forwards by is within it; other routers cannot. */
function unfit(
  vn: VirtualNetwork,
  router: RouterName,
  method: RouterMethod,
): { why: string; hint: string } | undefined {
  const isMachine = imageRouter(vn, router) !== undefined;
  switch (method) {
    case 'flow': {
      if (isSwitch(vn, router)) return undefined;
      const others = isMachine ? '--method clone, live' : '--method vroom';
      return {
        why: `router '${router}' is no switch, and method flow moves only switches`,
        hint: `use ${others} or instance`,
      };
    }
    case 'clone':
    case 'live':
      if (isMachine) return undefined;
      return {
        why: `method ${method} moves virtual machines, and router '${router}' is none`,
        hint: `use --method ${isSwitch(vn, router) ? 'flow' : 'vroom'} or instance, or --router NAME for one that is`,
      };
    case 'vroom':
      if (isMachine) {
        return {
          why: `router '${router}' is a virtual machine, whose routes cannot be read`,
          hint: 'use --method clone, live or instance',
        };
      }
      if (!isSwitch(vn, router)) return undefined;
      return {
        why: `router '${router}' is a switch, which method ${method} does not move`,
        hint: 'use --method flow or instance',
      };
  }
}

/** The nodes that the moves cannot do without. */
export function nodesOfMoves(vn: VirtualNetwork, instance: Instance, groups: Groups): NodeName[] {
  const moves = groups.flat();
  return [...edgeNodes(vn), ...moves.flatMap((move) => [move.from, move.to, ...neighbourNodes(instance, move.router)])];
}

export interface Checked {
  /** How the routing daemon of each moving router moves. */
  readonly ways: ReadonlyMap<RouterName, ControlPlaneName>;
  /** Why the moves are not possible. */
  readonly refusals: readonly VnmError[];
}

/** Checks whether the moves are possible on these nodes. While one is unreachable, it says only that. */
export function checkMoves(
  context: Pick<Context, 'store' | 'report'>,
  agents: Agents,
  vn: VirtualNetwork,
  instance: Instance,
  groups: Groups,
  {
    controlPlane,
    parallel = 1,
    holdControl = false,
  }: Pick<MigrationOptions, 'controlPlane' | 'parallel' | 'holdControl'>,
): Checked {
  const ways = new Map<RouterName, ControlPlaneName>();
  const refusals: VnmError[] = [];
  const check = (body: () => void) => {
    try {
      body();
    } catch (error) {
      if (!(error instanceof VnmError)) throw error;
      refusals.push(error);
    }
  };
  check(() => requireNodes(agents, nodesOfMoves(vn, instance, groups)));
  if (refusals.length > 0) return { ways, refusals };
  check(() => refuseOneMachine(agents));
  check(() => checkMachines(agents, vn, groups.flat()));
  check(() => checkFollowing(context, vn, agents, instance.placement, groups.flat(), holdControl));
  groups.forEach((group, index) => {
    const before = afterMoves(instance, groups.slice(0, index).flat());
    for (const move of group) {
      check(() => {
        for (const [router, way] of chooseWays(vn, agents, before.placement, [move], controlPlane))
          ways.set(router, way);
      });
    }
    check(() => {
      try {
        requireRoom(context, agents, demandsOf(vn, before, group));
      } catch (error) {
        throw parallel > 1 && error instanceof VnmError ? withFewer(error) : error;
      }
    });
  });
  const switches = groups.flat().filter(({ router }) => isSwitch(vn, router));
  check(() =>
    requireSteering(
      agents,
      switches.flatMap(({ router }) => neighbourNodes(instance, router)),
    ),
  );
  return { ways, refusals };
}

/** A guest goes on only where machines are run in the same way. */
function checkMachines(agents: Agents, vn: VirtualNetwork, moves: readonly RouterMove[]): void {
  for (const { router, from, to } of moves) {
    if (imageRouter(vn, router) === undefined) continue;
    const [here, there] = [from, to].map((node) => machineFeature(agents, node));
    if (here === there) continue;
    const why = `node '${from}' runs guests ${here}, and node '${to}' ${there}`;
    throw new VnmError('unsupported', `router '${router}' cannot move with its memory: ${why}`, {
      hint: 'choose a node that runs them in the same way, or use --method instance',
    });
  }
}

/** How the node runs guests. Throws VnmError `unsupported` if it does not. */
function machineFeature(agents: Agents, node: NodeName): string {
  requireMachines(agents, node);
  return agents.get(node).facts.features.find(({ name }) => name === 'machine')?.detail ?? '';
}

function withFewer(error: VnmError): VnmError {
  const { code, message, hint } = error;
  return new VnmError(code, message, { hint: `${hint}; or move fewer routers at once with --parallel`, cause: error });
}

/** What the moves of a group need beyond what is there: the routers' second places, and the trial of their paths. */
function demandsOf(vn: VirtualNetwork, instance: Instance, group: readonly RouterMove[]): PlacedVn[] {
  const routers = group.map(({ router }) => router);
  const small = neighbourhoodOf(vn, routers);
  const moved = afterMoves(instance, group).placement;
  return [
    { vn: { ...vn, gateways: small.gateways }, placement: new Map(group.map(({ router, to }) => [router, to])) },
    { vn: small, placement: new Map(routerNames(small).map((name) => [name, moved.get(name)!])) },
  ];
}
