/** Plans the routing daemon of a router: which program it is, and its configuration. Pure. */
import type { DaemonKind } from '../../model/daemon.ts';
import { VnmError } from '../../model/errors.ts';
import { guestInterface } from '../../model/machine.ts';
import type { RouterName } from '../../model/names.ts';
import { daemonRouter } from '../../model/router.ts';
import { type Instance, renamed } from '../instance.ts';
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
  const known = daemonRouter(plan.vn, router);
  if (known === undefined) throw new VnmError('invalid-input', `router '${router}' has no routing daemon`);
  const { kind } = known;
  const speaker = planSpeaker(plan, instance, known);
  const lines = kind === 'bird' ? birdConfig(speaker) : frrConfig(speaker);
  return { kind, config: `${lines.join('\n')}\n${speaker.text ?? ''}` };
}

/**
 * A configuration of BIRD 2 for the guest of a router that is a virtual machine, whose devices have the names of
 * `guestInterface`.
 */
export function guestConfig(plan: VnPlan, instance: Instance, router: RouterName): string {
  const links = instance.links.filter(({ a, b }) => a.router === router || b.router === router);
  const inGuest = renamed(instance, router, new Map(links.map((link, index) => [link, guestInterface(index)])));
  return `${birdConfig(planSpeaker(plan, inGuest, { name: router, config: {} })).join('\n')}\n`;
}
