/** The kinds of routing daemons. */
import type { DaemonKind } from '../../model/daemon.ts';
import { bird } from './bird.ts';
import type { DaemonDriver } from './driver.ts';
import { frr } from './frr.ts';

export const drivers: Readonly<Record<DaemonKind, DaemonDriver>> = { bird, frr };

/** Returns the version of each kind on this node, or what it lacks for that kind. */
export async function findDaemons(): Promise<{ kind: DaemonKind; version?: string; lacks?: string }[]> {
  return Promise.all(Object.values(drivers).map(async (driver) => ({ kind: driver.kind, ...(await driver.find()) })));
}
