/** Two places of a VN, and the way from one to the other. */
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import { imageRouter } from '../../model/router.ts';
import type { Slice } from '../../model/slice.ts';
import type { Instance } from '../../planning/instance.ts';
import { planVn, type VnPlan } from '../../planning/vn-plan.ts';
import type { Context } from '../base/context.ts';
import { atPlace, instanceOf } from './access.ts';
import { addressOf } from './addresses.ts';
import { type Commands, commandsAt } from './commands.ts';
import { describePlace, findPlace, type Place, type PlaceName } from './place.ts';

export interface BetweenRequest {
  readonly slice: Slice;
  /** Only needed where several VNs have a place of the first name. */
  readonly vn?: string | undefined;
  /** Names of routers, gateways or end hosts, as `findPlace` reads them. */
  readonly from: string;
  readonly to: string;
}

/** The two places, for results. */
export interface BetweenResult {
  readonly slice: string;
  readonly vn: string;
  readonly from: PlaceName;
  readonly to: PlaceName;
  /** The node of the first one. */
  readonly node: NodeName;
  /** That of the second one. */
  readonly address: string;
}

export interface Between {
  readonly result: BetweenResult;
  readonly plan: VnPlan;
  readonly instance: Instance;
  /** From which address to send; absent where the kernel knows. */
  readonly source?: string;
  readonly commands: Commands;
}

/**
 * Runs `body` with the way to the first place. Throws VnmError `unsupported` for a virtual machine, whose programs are
 * its own, and as `findPlace` and `atPlace`.
 */
export function between<T>(
  context: Context,
  request: BetweenRequest,
  body: (between: Between) => Promise<T>,
): Promise<T> {
  const { slice } = request;
  const from = findPlace(slice, request.from, request.vn);
  const to = findPlace(slice, request.to, from.vn.name);
  refuseMachine(from);
  const [plan, instance] = [planVn(slice, from.vn), instanceOf(context, slice, from.vn)];
  const address = addressOf(plan, instance, to, from);
  return atPlace(context, slice, from, (access) => {
    const names = { slice: slice.name, vn: from.vn.name, from: nameOf(from), to: nameOf(to) };
    return body({
      result: { ...names, node: access.node, address },
      plan,
      instance,
      commands: commandsAt(context, slice, from, access),
      // A router has only addresses of its VN; a node has others.
      ...(from.kind === 'router' ? {} : { source: addressOf(plan, instance, from, to) }),
    });
  });
}

function refuseMachine(place: Place): void {
  if (place.kind !== 'router' || imageRouter(place.vn, place.name) === undefined) return;
  throw new VnmError('unsupported', `${describePlace(place)} is a virtual machine: nothing can be sent from there`, {
    hint: 'send from the other end, or run a program of its own with pl-vnm exec',
  });
}

function nameOf({ kind, name }: Place): PlaceName {
  return { kind, name };
}
