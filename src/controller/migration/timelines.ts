/** The actions around the common instant T that the gateways are armed with. */
import type { GatewayName, NodeName } from '../../model/names.ts';
import type { ParamsInput } from '../../vsys/messages.ts';
import type { Decision } from './decide.ts';
import { redirectionsOf } from './redirections.ts';
import type { Recorded, Run } from './types.ts';

type ArmedAction = ParamsInput<'arm'>['actions'][number];

/** The actions of one gateway, in the order of their instants. */
export interface Timeline {
  readonly gateway: GatewayName;
  readonly node: NodeName;
  readonly actions: ArmedAction[];
}

export function timelinesOf(run: Run, fresh: Recorded, { schedule }: Decision): Timeline[] {
  const redirections = redirectionsOf(run, fresh.instance, schedule);
  return run.gateways
    .map(({ name, node }) => {
      const own = redirections.filter(({ gateway }) => gateway === name);
      const redirects = own.map(({ offsetMs, groups }): ArmedAction => ({ offsetMs, kind: 'redirect', groups }));
      const gate = schedule.gates.get(name);
      if (gate === undefined) return { gateway: name, node, actions: redirects };
      const interfaces = run.access.filter((link) => link.gateway === name).map((link) => link.gatewayEnd.interface);
      const at = (offsetMs: number, kind: 'gate_close' | 'gate_open') =>
        interfaces.map((name): ArmedAction => ({ offsetMs, kind, interface: name }));
      return {
        gateway: name,
        node,
        actions: [...at(-gate.closeBeforeMs, 'gate_close'), ...redirects, ...at(gate.releaseAfterMs, 'gate_open')],
      };
    })
    .filter(({ actions }) => actions.length > 0);
}
