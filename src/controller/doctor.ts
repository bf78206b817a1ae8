import { systemClock } from '../clock/clock.ts';
import { boundAt, type ClockEstimate } from '../clock/exchange.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import type { Feature } from '../vsys/messages.ts';
import { withAgents } from './agents.ts';
import { measureClocks } from './clocks.ts';
import type { Context } from './context.ts';

/** What one node can do for the slice. */
export interface NodeReport {
  readonly node: string;
  readonly reachable: boolean;
  /** Why it is not reachable, or what it lacks. */
  readonly problems: string[];
  readonly agent?: { version: string; node: string; pid: number };
  readonly kernel?: string;
  readonly features?: readonly Feature[];
  readonly clock?: { offsetMs: number; boundMs: number };
}

export interface DoctorResult {
  readonly slice: string;
  readonly ok: boolean;
  readonly nodes: NodeReport[];
}

/** Without these a node cannot take part at all. */
const needed: readonly Feature['name'][] = ['root', 'vxlan', 'nexthop-groups'];

/** Looks at every node of the slice by itself, so that one that is away does not hide the others. */
export async function doctor(context: Context, slice: Slice): Promise<DoctorResult> {
  const nodes = await Promise.all([...slice.nodes.keys()].map((node) => examine(context, slice, node)));
  const ok = nodes.every((node) => node.reachable && node.problems.length === 0);
  return { slice: slice.name, ok, nodes };
}

async function examine(context: Context, slice: Slice, node: string): Promise<NodeReport> {
  try {
    return await withAgents(context, slice, [node], async (agents) => {
      const { agent, kernel, features } = agents.get(node).facts;
      const clock = (await measureClocks(agents, [node])).get(node)!;
      const lacking = features.filter((feature) => needed.includes(feature.name) && !feature.available);
      return {
        node,
        reachable: true,
        problems: lacking.map(({ name, detail }) => `lacks ${name}${detail === undefined ? '' : `: ${detail}`}`),
        agent: { version: agent.version, node: agent.node, pid: agent.pid },
        kernel,
        features,
        clock: report(clock),
      };
    });
  } catch (error) {
    if (context.signal?.aborted === true) throw error;
    const hint = error instanceof VnmError && error.hint !== undefined ? ` (${error.hint})` : '';
    return { node, reachable: false, problems: [`${messageOf(error)}${hint}`] };
  }
}

function report(clock: ClockEstimate): { offsetMs: number; boundMs: number } {
  return { offsetMs: clock.offsetMs, boundMs: boundAt(clock, systemClock.monotonicMs()) };
}
