/** The kinds of daemons of routers. */
import type { RouterProgram } from '../../model/daemon.ts';
import { bird } from './bird.ts';
import type { DaemonDriver } from './driver.ts';
import { frr } from './frr.ts';
import { openvswitch } from './openvswitch.ts';

export const drivers: Readonly<Record<RouterProgram, DaemonDriver>> = { bird, frr, openvswitch };

/** Returns the version of each kind on this node, or what it lacks for that kind. */
export async function findDaemons(): Promise<{ kind: RouterProgram; version?: string; lacks?: string }[]> {
  return Promise.all(Object.values(drivers).map(async (driver) => ({ kind: driver.kind, ...(await driver.find()) })));
}
