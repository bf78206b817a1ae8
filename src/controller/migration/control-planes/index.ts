/** The ways by name. */
import { graceful } from './graceful.ts';
import { type ControlPlaneName, usualControlPlane } from './names.ts';
import { restart } from './restart.ts';
import type { ControlPlaneWay } from './way.ts';

const ways: Readonly<Record<ControlPlaneName, ControlPlaneWay>> = { graceful, restart };

export function controlPlaneWay(name: ControlPlaneName = usualControlPlane): ControlPlaneWay {
  return ways[name];
}
