/** The sides of forwards, which only the userspace plane has. */
import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../../../model/errors.ts';
import { describeForward } from '../../../vsys/difference.ts';
import type { ForwardSide } from '../../../vsys/operations.ts';
import type { Draft } from './draft.ts';
import { conflict, type Named } from './plan-common.ts';
import { forwardKey, ownStack } from './state.ts';

/** The most sides of forwards that a slice has on a node. */
const maxForwards = 256;

export function forwardUp(draft: Draft, { op: _, ...forward }: Named<'forward_up'>): void {
  const key = forwardKey(forward);
  const existing = draft.forwards.get(key);
  if (existing !== undefined && isDeepStrictEqual(existing, forward)) return;
  requireAddress(draft, forward.address);
  if (existing !== undefined && !draft.repair) {
    throw conflict(`forward at ${key} leads ${describeForward(existing)}, requested: ${describeForward(forward)}`);
  }
  refuseOwnService(draft, forward);
  if (existing === undefined && draft.forwards.size >= maxForwards) {
    throw new VnmError(
      'forbidden',
      `slice '${draft.policy.slice}' may have at most ${maxForwards} forwards on this node`,
    );
  }
  draft.putForward(forward);
}

export function forwardDown(draft: Draft, { op: _, ...side }: Named<'forward_down'>): void {
  const key = forwardKey(side);
  if (draft.forwards.has(key)) draft.removeForward(key);
}

/** Throws VnmError `not-found`. */
function requireAddress(draft: Draft, address: string): void {
  const links = [...draft.stacks.get(ownStack)!.links.values()];
  if (links.some(({ addresses }) => addresses.some((own) => own.address === address))) return;
  throw new VnmError('not-found', `${address} is not an address of this node`, { hint: 'add it with vif_up' });
}

/** What is delivered to a port where a forward listens would leave the node again, perhaps in a loop. */
function refuseOwnService(draft: Draft, forward: ForwardSide): void {
  const port = programPort(forward);
  const other = [...draft.forwards.values()].find(
    (known) => known.side !== forward.side && programPort(known) === port,
  );
  if (other === undefined) return;
  throw conflict(
    `port ${port} of 127.0.0.1 cannot be both where a forward listens and where datagrams are delivered`,
    'give the forward another local port',
  );
}

function programPort(forward: ForwardSide): number {
  return forward.side === 'listen' ? forward.localPort : forward.port;
}
