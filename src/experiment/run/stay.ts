/** A run without a migration: what the nodes lose by themselves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { signalOption } from '../../controller/base/context.ts';
import { edgeNodes } from '../../controller/base/resolve.ts';
import { withAgents } from '../../controller/nodes/agents.ts';
import { startTraffic } from '../../controller/probe/traffic.ts';
import { planVn } from '../../planning/vn-plan.ts';
import type { InstalledVn } from '../parameters/parameter.ts';
import type { RunResult } from './measures.ts';

/** How long the VN stays, and its flows are sent. */
const stayMs = 5000;

/**
 * Leaves a VN where it is, and sends its flows meanwhile if `traffic` says so. `mtu`: of the VN. Returns a result as of
 * a migration that moved nothing; `durationMs` is the time of sending.
 */
export async function stay(
  { context, slice, vn }: Pick<InstalledVn, 'context' | 'slice' | 'vn'>,
  mtu: number,
  traffic: boolean,
): Promise<RunResult> {
  const rest = () => sleep(stayMs, undefined, signalOption(context));
  const nothing = { outcome: 'completed' as const, durationMs: stayMs, phases: [], redirections: [] };
  if (!traffic) {
    await rest();
    return { ...nothing, flows: [] };
  }
  return withAgents(context, slice, edgeNodes(vn), async (agents) => {
    const running = await startTraffic(agents, planVn(slice, vn), mtu);
    await rest().catch(async (error: unknown) => {
      await running.finish();
      throw error;
    });
    const counted = await running.finish();
    const flows = counted.map((flow) => ({ ...flow, predictedLost: 0, predictedAddedDelayMs: 0 }));
    return { ...nothing, flows };
  });
}
