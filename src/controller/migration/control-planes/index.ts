/** The ways by name. */
import { graceful } from './graceful.ts';
import { restart } from './restart.ts';
import type { ControlPlaneWay } from './way.ts';

const ways = { graceful, restart } as const satisfies Readonly<Record<string, ControlPlaneWay>>;

export type ControlPlaneName = keyof typeof ways;

export const controlPlaneNames = Object.keys(ways) as [ControlPlaneName, ...ControlPlaneName[]];

export const usualControlPlane: ControlPlaneName = 'graceful';

export function controlPlaneWay(name: ControlPlaneName = usualControlPlane): ControlPlaneWay {
  return ways[name];
}
