/** Shared by several operations. */
import { VnmError } from '../../../model/errors.ts';
import type { Operation, OperationName } from '../../../vsys/operations.ts';
import type { Draft } from './draft.ts';
import { describePlace, type Link, linkAt, type Place, type Stack } from './state.ts';

/** The operations with these names. */
export type Named<Name extends OperationName> = Extract<Operation, { op: Name }>;

/** Throws VnmError `not-found`. */
export function requireStack(draft: Draft, namespace: string): Stack {
  const stack = draft.stacks.get(namespace);
  if (stack !== undefined) return stack;
  throw new VnmError('not-found', `there is no namespace '${namespace}'`, { hint: 'create it with netns_up' });
}

/** Throws VnmError `not-found`. */
export function requireLink(draft: Draft, place: Place): Link {
  requireStack(draft, place.namespace);
  const link = linkAt(draft, place);
  if (link !== undefined) return link;
  throw new VnmError('not-found', `there is no ${describePlace(place)}`, { hint: 'create it with tunnel_up' });
}

export function conflict(message: string, hint?: string): VnmError {
  return new VnmError('conflict', message, { hint });
}

/** Throws VnmError `forbidden` when one more would exceed the limit. */
export function checkLimit(
  draft: Draft,
  kind: 'namespaces' | 'tunnels' | 'routes' | 'daemons' | 'machines',
  count: number,
): void {
  const limit = draft.policy.limits[kind];
  if (count < limit) return;
  throw new VnmError('forbidden', `slice '${draft.policy.slice}' may have at most ${limit} ${kind} on this node`);
}
