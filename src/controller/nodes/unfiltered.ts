import type { NodeName } from '../../model/names.ts';
import type { Context } from '../base/context.ts';
import type { Agents } from './agents.ts';

/** Reports each node that accepts tunnel packets from anyone, with the reason and a hint. */
export function noteUnfiltered({ report }: Pick<Context, 'report'>, agents: Agents, nodes: Iterable<NodeName>): void {
  for (const node of new Set(nodes)) {
    const feature = agents.get(node).facts.features.find(({ name }) => name === 'tunnel-filter');
    if (feature === undefined || feature.available) continue;
    const hint = 'install nftables there, then run the command again';
    report({
      kind: 'note',
      text: `node '${node}': ${feature.detail}; any user of that node can send into the VN\n  hint: ${hint}`,
    });
  }
}
