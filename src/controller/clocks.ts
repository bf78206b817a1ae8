import { systemClock } from '../clock/clock.ts';
import { bestEstimate, type ClockEstimate, estimateFrom } from '../clock/exchange.ts';
import type { Agents } from './agents.ts';

const exchanges = 8;

/** The offset of each node's clock to the controller's, from exchanges on the kept channels. */
export async function measureClocks(agents: Agents, nodes: Iterable<string>): Promise<Map<string, ClockEstimate>> {
  const estimates = await Promise.all(
    [...new Set(nodes)].map(async (node) => [node, await measureClock(agents, node)] as const),
  );
  return new Map(estimates);
}

async function measureClock(agents: Agents, node: string): Promise<ClockEstimate> {
  const samples: ClockEstimate[] = [];
  for (let index = 0; index < exchanges; index += 1) {
    const sentMs = systemClock.wallMs();
    const { receivedAt, sentAt } = await agents.get(node).call('clock', {});
    const receivedMs = systemClock.wallMs();
    samples.push(
      estimateFrom(
        { sentMs, remoteReceivedMs: receivedAt, remoteSentMs: sentAt, receivedMs },
        systemClock.monotonicMs(),
      ),
    );
  }
  return bestEstimate(samples, systemClock.monotonicMs());
}
