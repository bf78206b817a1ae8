import { VnmError } from '../../model/errors.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { VirtualNetwork } from '../../model/slice.ts';
import type { Context } from '../base/context.ts';
import type { Agents } from '../nodes/agents.ts';

/** Returns the requested mode; by default feasible if every gateway supports it, else strict. */
export function chooseUrpf(
  context: Context,
  agents: Agents,
  vn: VirtualNetwork,
  asked: UrpfMode | undefined,
): UrpfMode {
  const lacking = vn.gateways.filter((gateway) => !agents.resilient(gateway.node)).map((gateway) => gateway.name);
  if (asked !== 'feasible' && asked !== undefined) return asked;
  if (lacking.length === 0) return 'feasible';
  const reason = `no resilient nexthop groups at gateway ${lacking.join(', ')}`;
  if (asked === 'feasible') {
    throw new VnmError('unsupported', `feasible uRPF is not possible: ${reason}`, {
      hint: "use '--urpf strict --schedule drain' (nothing lost, a short delay) or '--urpf loose' (less protection)",
    });
  }
  context.report({ kind: 'note', text: `strict uRPF: ${reason}` });
  return 'strict';
}
