/** Plans the routing daemon of a router: which program it is, and its configuration. Pure. */
import type { DaemonKind } from '../../model/daemon.ts';
import type { RouterName } from '../../model/names.ts';
import type { Instance } from '../instance.ts';
import type { VnPlan } from '../vn-plan.ts';
import { birdConfig } from './bird.ts';
import { frrConfig } from './frr.ts';
import { planSpeaker } from './speaker.ts';

export interface DaemonPlan {
  readonly kind: DaemonKind;
  /** The whole configuration: what the plan says, then the user's own statements. */
  readonly config: string;
}

/**
 * The daemon of a router in an instance. The same plan and instance give the same text. Throws VnmError `invalid-input`
 * for a router without a daemon.
 */
export function planDaemon(plan: VnPlan, instance: Instance, router: RouterName): DaemonPlan {
  const speaker = planSpeaker(plan, instance, router);
  const { kind } = speaker.router;
  const lines = kind === 'bird' ? birdConfig(speaker) : frrConfig(speaker);
  return { kind, config: `${lines.join('\n')}\n${speaker.text ?? ''}` };
}
