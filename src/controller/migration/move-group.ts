/**
 * The steps of the machine (machine.ts) for routers that move at the same time (methods `vroom`, `clone`, `live`). All
 * of them end a phase before the next one begins, so the journal has one phase for all. Only their routing daemons move
 * one after the other: while one restarts, nothing else may change in the network that it returns to.
 */
import { messageOf, VnmError } from '../../model/errors.ts';
import { isSamePlacement } from '../../model/slice.ts';
import { type Instance, moveRouter } from '../../planning/instance.ts';
import { afterMoves, type RouterMove } from '../../planning/neighbourhood.ts';
import { writeIfPossible } from '../base/best-effort.ts';
import { methodOf, type PhaseName } from '../base/phase.ts';
import { edgeNodes } from '../base/resolve.ts';
import { isUnreachable } from '../nodes/agents.ts';
import { notRecorded, reportLeftOver, reportUnproven } from './finish.ts';
import { baselineOf } from './journal.ts';
import type { Steps } from './method.ts';
import { movingGuest } from './methods/guest.ts';
import { type MovingRouter, movingRouter } from './methods/vroom.ts';
import type { MoveProgress } from './move-progress.ts';
import { type Proof, proveEndHosts } from './proof.ts';
import { removeTrial, tryPaths } from './try-paths.ts';
import type { Run } from './types.ts';

/** No two of the routers may be neighbours. `isBack`: whether the moves undo earlier ones, which no signal stops. */
export function stepsOfGroup(
  run: Run,
  moves: readonly RouterMove[],
  { isBack, progress }: { readonly isBack: boolean; readonly progress: MoveProgress },
): Steps {
  const { context, agents, vn, old, phases } = run;
  const { instances, migrations } = context.store;
  let phase: PhaseName | undefined;
  const begin = (next: PhaseName) => {
    if (next === phase) return;
    if (!isBack) context.signal?.throwIfAborted();
    phase = next;
    phases.begin(next);
  };
  const method = methodOf(migrations.find(run.id!)!);
  const moving = method === 'clone' || method === 'live' ? movingGuest : movingRouter;
  const routers = moves.map((move) => moving(run, move, { begin, progress, isBack }));
  /** Those of a turn flip their links at the same time. */
  const turns = [
    routers.filter(({ isLiving }) => !isLiving),
    ...routers.filter(({ isLiving }) => isLiving).map((one) => [one]),
  ];
  /** The routers whose links may have been flipped: if an earlier controller did that, all of them. */
  let begun: readonly MovingRouter[] = routers;
  /** Each router where its links lead, as far as this controller has flipped them. */
  let placed = old.instance;

  async function prepare(): Promise<void> {
    begun = [];
    begin('set up');
    await atOnce(routers, (one) => one.setUp());
    const copying = routers.filter(({ copyRoutes }) => copyRoutes !== undefined);
    if (copying.length > 0) begin('clone');
    await atOnce(copying, (one) => one.copyRoutes!());
    begin('prove');
    await tryPaths(run, moves);
    await atOnce(routers, (one) => one.note());
    for (const one of routers) await one.copyGuest?.();
  }

  async function flip(): Promise<void> {
    for (const turn of turns) {
      begun = [...new Set([...begun, ...turn])];
      await atOnce(turn, (one) => one.flip(placed));
      placed = afterMoves(placed, movesOf(turn));
    }
  }

  async function confirm(): Promise<void> {
    phases.begin('verify');
    const { excused, failed } = await prove(afterMoves(old.instance, moves), true);
    if (failed.length > 0) {
      const pairs = failed.map((pair) => `${pair.from} to ${pair.to}`).join(', ');
      const which = moves.map(({ router }) => `router '${router}'`).join(', ');
      throw new VnmError('failed', `after the links of ${which} were flipped, no packet arrived from ${pairs}`);
    }
    progress.unproven = reportUnproven(run, `with ${describePlaces(moves)}`, excused);
    await readEvents(routers);
  }

  async function readEvents(some: readonly MovingRouter[]): Promise<void> {
    progress.neighbourEvents.push(...(await atOnce(some, (one) => one.readEvents())).flat());
  }

  /** An end host whose node is unreachable says nothing about the routers. */
  async function prove(instance: Instance, locate: boolean): Promise<Proof> {
    try {
      return await proveEndHosts(run, instance, baselineOf(migrations.find(run.id!)!), { locate });
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      context.report({
        kind: 'note',
        text: `whether the end hosts reach each other is not proven: ${messageOf(error)}`,
      });
      return { excused: [], failed: [] };
    }
  }

  async function retire(): Promise<void> {
    if (migrations.find(run.id!)?.state !== 'retire') {
      phases.begin('drain');
      await atOnce(routers, (one) => one.drain(one.move.from));
    }
    phases.begin('retire');
    reportLeftOver(run, (await atOnce(routers, (one) => one.leaveOne(one.move.to, one.move.from))).flat());
    for (const { router, to } of moves) {
      const { placement } = moveRouter(instances.plan(old.record.id), router, to);
      const named = [...vn.placements].find(([, other]) => isSamePlacement(other, placement))?.[0] ?? null;
      if (!writeIfPossible(context, () => instances.endMove(old.record.id, router, named))) throw notRecorded();
    }
  }

  /** Checks that everything that the way back needs can be reached. */
  async function findNeighbours(): Promise<void> {
    const needed = routers.flatMap(({ neighbours, move }) => [...neighbours, move.from]);
    await agents.check(needed);
    await agents.revive(needed).catch((error: unknown) => context.report({ kind: 'note', text: messageOf(error) }));
    const missing = [...new Set(needed)].filter((node) => agents.missing.has(node));
    if (missing.length > 0) throw new VnmError('unreachable', `node '${missing.join("', '")}' cannot be reached`);
  }

  async function sendBack(): Promise<void> {
    phases.begin('roll back');
    for (const turn of turns.toReversed()) {
      const flipped = turn.filter((one) => begun.includes(one));
      placed = afterMoves(placed, movesOf(flipped).map(reverse));
      await atOnce(flipped, (one) => one.sendBack(placed));
    }
    await readEvents(begun);
    await atOnce(begun, (one) => one.drain(one.move.to));
    const { excused, failed } = await prove(old.instance, false);
    const where = describePlaces(moves.map(reverse), 'back ');
    progress.unproven = reportUnproven(run, `with ${where}`, [...excused, ...failed]);
  }

  async function remove(): Promise<void> {
    phases.begin('remove the new place');
    await removeTrial(run);
    await agents.revive([...routers.flatMap(({ neighbours, move }) => [...neighbours, move.to]), ...edgeNodes(vn)]);
    reportLeftOver(run, (await atOnce(routers, (one) => one.leaveOne(one.move.from, one.move.to))).flat());
    // Its node may have been restarted meanwhile, and a repair starts no daemon of a router on two nodes.
    await atOnce(routers, (one) => one.keepDaemon());
    for (const { router } of moves) {
      if (instances.plan(old.record.id).moving?.has(router) !== true) continue;
      if (!writeIfPossible(context, () => instances.cancelMove(old.record.id, router))) throw notRecorded();
    }
  }

  /** Waits for all, also if some fail. Throws the first failure in their order, and reports the others. */
  async function atOnce<T>(some: readonly MovingRouter[], action: (one: MovingRouter) => Promise<T>): Promise<T[]> {
    const ended = await Promise.allSettled(some.map(action));
    const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    const [first, ...others] = new Set(failures);
    for (const other of others) context.report({ kind: 'note', text: messageOf(other) });
    if (failures.length > 0) throw first;
    return ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }

  return {
    prepare,
    redirect: flip,
    'redirect all': flip,
    confirm,
    retire,
    'find gateways': findNeighbours,
    'send back': sendBack,
    remove,
  };
}

function movesOf(routers: readonly MovingRouter[]): RouterMove[] {
  return routers.map(({ move }) => move);
}

function reverse({ router, from, to }: RouterMove): RouterMove {
  return { router, from: to, to: from };
}

/** `router 'a' on node 'n3', router 'c' on node 'n4'`. */
function describePlaces(moves: readonly RouterMove[], adverb = ''): string {
  return moves.map(({ router, to }) => `router '${router}' ${adverb}on node '${to}'`).join(', ');
}
