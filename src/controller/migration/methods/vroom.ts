/**
 * VROOM (SIGCOMM 2008, section 3): moves one router, which keeps its name, addresses and neighbours. The router gets a
 * second place on the new node, with the same interfaces and routes. Both places forward while the neighbours flip
 * their links one after the other, and the old place goes when nothing arrives there any more. No interface of a
 * neighbour changes, so no reverse-path check drops anything. Undone by flipping the links back. Which router does what
 * when is in move-group.ts.
 */
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { NodeName } from '../../../model/names.ts';
import type { PackedRoutes } from '../../../model/packed-routes.ts';
import type { Instance } from '../../../planning/instance.ts';
import type { RouterMove } from '../../../planning/neighbourhood.ts';
import type { PhaseName, RouterMethod } from '../../base/phase.ts';
import { applyAll, isUnreachable } from '../../nodes/agents.ts';
import { type Copied, putCopied, readCopied } from '../../routing/copied.ts';
import type { Method } from '../method.ts';
import { type MovingControl, movingControl } from '../move-control.ts';
import type { MoveProgress } from '../move-progress.ts';
import { movingPlace } from '../moving-place.ts';
import { countEvents } from '../neighbour-events.ts';
import { type MigrationOptions, usualOptions } from '../options.ts';
import type { NeighbourEvents, Run } from '../types.ts';

export const vroomMethod: Method = {
  refuse(options) {
    refuseRedirections('vroom', options);
    if (options.suspend !== true) return;
    throw new VnmError('usage', 'method vroom copies no guest, so it has no --suspend', {
      hint: 'leave that out, or use --method clone',
    });
  },
  refuseOn: () => {},
};

/** Throws VnmError `usage` for options of a redirection: a method that moves routers has none. */
export function refuseRedirections(method: RouterMethod, options: MigrationOptions): void {
  const { schedule, control, granularity, urpf } = options;
  const needless = [
    ...(schedule === usualOptions.schedule ? [] : [`--schedule ${schedule}`]),
    ...(control === usualOptions.control ? [] : [`--control ${control}`]),
    ...(granularity === usualOptions.granularity ? [] : [`--granularity ${granularity}`]),
    ...(urpf === undefined ? [] : [`--urpf ${urpf}`]),
  ];
  if (needless.length === 0) return;
  throw new VnmError('usage', `method ${method} redirects no gateway, so it has no ${needless.join(', no ')}`, {
    hint: 'leave that out, or use --method instance',
  });
}

/** What each step of a move does with one router. Everything may be done twice. */
export interface MovingRouter {
  readonly move: RouterMove;
  /** The nodes at the other ends of its links. */
  readonly neighbours: readonly NodeName[];
  /** Whether it has a routing daemon. */
  readonly isLiving: boolean;
  /** Makes its new place, without routes. */
  setUp(): Promise<void>;
  /** Makes the new place forward by the routes that the old one has now. Absent where these are in a guest. */
  copyRoutes?(): Promise<void>;
  /** Copies the guest to the new place, where it stands still. Absent where there is none. */
  copyGuest?(): Promise<void>;
  /** Notes what must be the same after the move, once everything is ready for it. */
  note(): Promise<void>;
  /**
   * Makes the neighbours send to the new place, one link after the other; its routing daemon moves with it. `placed`:
   * where the other routers' daemons are.
   */
  flip(placed: Instance): Promise<void>;
  /** What its neighbours have noticed since `note`. */
  readEvents(): Promise<readonly NeighbourEvents[]>;
  /** Waits until its place on the node receives nothing any more. */
  drain(node: NodeName): Promise<void>;
  /** Leaves the router only on `kept`. Returns the nodes that could not be reached. */
  leaveOne(kept: NodeName, gone: NodeName): Promise<NodeName[]>;
  /** Makes sure that its routing daemon is at the old place, where the router is alone. */
  keepDaemon(): Promise<void>;
  /** As `flip`, to the old place. */
  sendBack(placed: Instance): Promise<void>;
}

export interface MovingParts {
  readonly begin: (phase: PhaseName) => void;
  readonly progress: MoveProgress;
  readonly isBack: boolean;
}

/** `begin`: begins a phase, unless it is the present one. `isBack`: whether the move undoes an earlier one. */
export function movingRouter(run: Run, move: RouterMove, { begin, progress, isBack }: MovingParts): MovingRouter {
  const { context, agents, vn, old } = run;
  const { router, from, to } = move;
  const { instance } = old;
  const place = movingPlace(run, move, { begin, progress });
  const { fresh } = place;
  /** What the new place has; unknown where an earlier controller set it up. */
  let there: readonly PackedRoutes[] | undefined;
  /** What was last read from the old one. */
  let copied: Copied | undefined;
  const control = movingControl(run, move, isBack);
  const events = countEvents(run, router);

  async function setUp(): Promise<void> {
    await place.setUp();
    there = [];
  }

  async function note(): Promise<void> {
    await events.begin();
    await control?.note();
    await copyRoutes();
  }

  /** With the routes that a daemon added, where these stay when it ends. */
  async function copyRoutes(): Promise<void> {
    const withDaemons = control?.keepsRoutes() ?? false;
    const live = await readCopied(agents, vn, router, { from: instance, to: fresh }, withDaemons, copied);
    const { routes } = live;
    there ??= (await readCopied(agents, vn, router, { from: fresh, to: fresh }, withDaemons)).routes;
    await applyAll(agents, putCopied(vn, fresh, router, there, routes, agents));
    [copied, there] = [live, routes];
  }

  async function flip(placed: Instance): Promise<void> {
    if (control === undefined) {
      await place.flipLinks();
      // All traffic is on the new place.
      await copyRoutes().catch(noteUnreachable);
      return;
    }
    begin('move control plane');
    const isThere = await control.isOn(to);
    await control.move(from, to, async () => {
      if (!isThere) await copyRoutes();
      // From its start on the daemon knows better than copies of its routes.
      else if (!control.keepsRoutes()) await copyRoutes().catch(noteUnreachable);
      await place.flipLinks();
    });
    begin('converge');
    await control.converge(to, placed);
    const measured = control.measured();
    if (measured !== undefined && !isThere) progress.controlPlanes.push(measured);
  }

  /** The new place stays with the routes that it has. */
  function noteUnreachable(error: unknown): void {
    if (!isUnreachable(error)) throw error;
    context.report({ kind: 'note', text: messageOf(error) });
  }

  async function leaveOne(kept: NodeName, gone: NodeName): Promise<NodeName[]> {
    return [...(await place.leaveOne(kept, gone)), ...((await control?.leaveOne(kept)) ?? [])];
  }

  async function sendBack(placed: Instance): Promise<void> {
    if (control === undefined) await place.flipBack();
    else await sendControlBack(control, placed);
  }

  async function sendControlBack(moving: MovingControl, placed: Instance): Promise<void> {
    await moving.move(to, from, place.flipBack);
    try {
      await moving.converge(from, placed);
    } catch (error) {
      context.report({ kind: 'note', text: messageOf(error) });
    }
  }

  return {
    move,
    neighbours: place.neighbours,
    isLiving: control !== undefined,
    setUp,
    copyRoutes,
    note,
    flip,
    readEvents: events.read,
    drain: place.drain,
    leaveOne,
    keepDaemon: async () => control?.startWhereNone(from),
    sendBack,
  };
}
