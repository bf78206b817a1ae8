/** The routing daemons of router namespaces. */
import { isDeepStrictEqual } from 'node:util';
import type { Daemon } from '../../../vsys/operations.ts';
import type { Draft } from './draft.ts';
import { checkLimit, type Named, requireStack } from './plan-common.ts';
import { nexthopSettings } from './settings.ts';

/** A daemon that failed is started once more. */
export function daemonUp(draft: Draft, { op: _, namespace, graceful, ...asked }: Named<'daemon_up'>): void {
  requireStack(draft, namespace);
  const wanted: Daemon = { ...asked, protocols: [...new Set(asked.protocols)].sort() };
  const existing = draft.daemons.get(namespace);
  if (existing === undefined) checkLimit(draft, 'daemons', draft.daemons.size);
  draft.set(namespace, nexthopSettings(wanted.kind));
  if (existing !== undefined && existing.state !== 'failed' && isDeepStrictEqual(existing.daemon, wanted)) return;
  draft.putDaemon(namespace, wanted, graceful);
}

export function daemonDown(draft: Draft, { namespace }: Named<'daemon_down'>): void {
  if (!draft.daemons.has(namespace)) return;
  draft.removeDaemon(namespace);
  if (draft.stacks.has(namespace)) draft.set(namespace, nexthopSettings());
}

/** The settings of the namespace stay, too: they decide what its forwarding entries look like. */
export function daemonLeave(draft: Draft, { namespace }: Named<'daemon_leave'>): void {
  if (draft.daemons.has(namespace)) draft.leaveDaemon(namespace);
}
