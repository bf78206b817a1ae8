/**
 * The cold restart, as the baseline: the daemon ends on the old node and takes its routes along, its neighbours give it
 * up, and it learns everything again on the new node. Packets are lost meanwhile.
 */
import { applyAll } from '../../nodes/agents.ts';
import type { RestartingWay } from './way.ts';

export const restart: RestartingWay = {
  name: 'restart',
  keepsRoutes: false,
  pauseMs: 0,
  lacks: () => undefined,
  refuse: () => {},
  leave: async (agents, { node, namespace }) => {
    await applyAll(agents, new Map([[node, [{ op: 'daemon_down', namespace }]]]));
  },
  arrive: async (agents, { node, start }) => {
    await applyAll(agents, new Map([[node, [start]]]));
  },
};
